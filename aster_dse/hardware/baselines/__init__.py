"""What the same network costs elsewhere: published formulas and machines, each with its assumptions."""
