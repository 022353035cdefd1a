"""Design-space exploration of spiking transformers on processing-in-memory accelerators."""

__version__ = "0.1.0"

__all__ = ["__version__"]
