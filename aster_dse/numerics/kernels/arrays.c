/* Layers of spiking networks as arrays of memory cells compute them: integer column sums of every tile, read by a
 * converter of few levels, put together digitally. All arithmetic is on integers but for the last sums in float32, of
 * which none may be contracted, so that every build gives the same bits. C with GCC's vectors (GCC or Clang), no
 * library; built by library.py. The definition is that of reference.py. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#define COLUMNS 64 /* columns that are summed together, a byte each */
#define HALF 32
#define HISTOGRAMS 4 /* counted side by side, so that equal sums do not wait for each other */
#define SEEN 3       /* counts of a sample: driven rows, active windows, active accesses */

typedef uint8_t u8x64 __attribute__((vector_size(64), aligned(1), may_alias));
typedef uint8_t u8x32 __attribute__((vector_size(32), aligned(1), may_alias));
typedef int16_t i16x32 __attribute__((vector_size(64), aligned(2), may_alias));
typedef uint16_t u16x32 __attribute__((vector_size(64), aligned(2), may_alias));
typedef uint16_t u16x16 __attribute__((vector_size(32), aligned(2), may_alias));
typedef int32_t i32x16 __attribute__((vector_size(64), aligned(4), may_alias));

static inline i16x32 widened(u8x32 x) { return (i16x32)__builtin_convertvector(x, u16x32); }

#ifdef __AVX512BW__
static inline i16x32 plus_half(u8x64 x) { return (i16x32)_mm512_cvtepu8_epi16(_mm512_castsi512_si256((__m512i)x)); }
static inline i16x32 minus_half(u8x64 x) {
    return (i16x32)_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64((__m512i)x, 1));
}
/* (x m + 2^14) >> 15 */
static inline i16x32 scaled(i16x32 x, i16x32 m) { return (i16x32)_mm512_mulhrs_epi16((__m512i)x, (__m512i)m); }
static inline i16x32 at_most(i16x32 x, i16x32 most) { return (i16x32)_mm512_min_epi16((__m512i)x, (__m512i)most); }
#else
static inline i16x32 plus_half(u8x64 x) {
    u8x32 half;
    memcpy(&half, &x, HALF);
    return widened(half);
}
static inline i16x32 minus_half(u8x64 x) {
    u8x32 half;
    memcpy(&half, (const char *)&x + HALF, HALF);
    return widened(half);
}
#ifdef __AVX2__
static inline i16x32 scaled(i16x32 x, i16x32 m) {
    __m256i a[2], b[2];
    memcpy(a, &x, 64);
    memcpy(b, &m, 64);
    a[0] = _mm256_mulhrs_epi16(a[0], b[0]);
    a[1] = _mm256_mulhrs_epi16(a[1], b[1]);
    memcpy(&x, a, 64);
    return x;
}
static inline i16x32 at_most(i16x32 x, i16x32 most) {
    __m256i a[2], b[2];
    memcpy(a, &x, 64);
    memcpy(b, &most, 64);
    a[0] = _mm256_min_epi16(a[0], b[0]);
    a[1] = _mm256_min_epi16(a[1], b[1]);
    memcpy(&x, a, 64);
    return x;
}
#else
static inline i16x32 scaled(i16x32 x, i16x32 m) {
    for (int i = 0; i < 32; i++) x[i] = (int16_t)(((int32_t)x[i] * m[i] + (1 << 14)) >> 15);
    return x;
}
static inline i16x32 at_most(i16x32 x, i16x32 most) {
    const i16x32 larger = x > most;
    return (x & ~larger) | (most & larger);
}
#endif
#endif

#include "window.inc"
#include "narrow.inc"
#include "wide.inc"
