/* Spiking layers on a CPU: batch norm, neurons and max-pool in one walk through time, and convolutions that add
 * weights only where a spike arrives. C with GCC's vectors (GCC or Clang), no library; built by library.py. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX__
#include <immintrin.h>
#endif

#define VECTOR_BYTES 64
#define SHORT 8                /* channels of the narrowest row that is worth a vector */
#define SPIKES_PER_PIXEL 4     /* above which a convolution takes one tap at a time */
#define PIXELS 8               /* outputs of a small dense convolution that are summed at once */
#ifndef BAND_BYTES
#define BAND_BYTES (48 * 1024) /* rows of a gradient that are summed together: they stay in the second-level cache */
#endif

typedef float vec_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double vec_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
typedef int32_t bits_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t bits_f64 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint8_t bytes_f32 __attribute__((vector_size(VECTOR_BYTES / 4)));
typedef uint8_t bytes_f64 __attribute__((vector_size(VECTOR_BYTES / 8)));
typedef float short_f32 __attribute__((vector_size(4 * SHORT), aligned(4), may_alias));
typedef double short_f64 __attribute__((vector_size(8 * SHORT), aligned(8), may_alias));
typedef float twice_f32 __attribute__((vector_size(8 * SHORT), aligned(4), may_alias));
typedef double twice_f64 __attribute__((vector_size(16 * SHORT), aligned(8), may_alias));

/* GCC 12 makes several instructions of comparisons and choices between vectors that are one each. */
#ifdef __AVX512F__
static inline vec_f32 keep_unless_f32(vec_f32 h, vec_f32 least, vec_f32 x) {
    return (vec_f32)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)h, (__m512)least, _CMP_NGE_UQ), (__m512)x);
}
static inline vec_f32 at_most_f32(vec_f32 x, float most) {
    return (vec_f32)_mm512_min_ps((__m512)x, _mm512_set1_ps(most));
}
#else
static inline vec_f32 keep_unless_f32(vec_f32 h, vec_f32 least, vec_f32 x) {
    return (vec_f32)((bits_f32)x & ~(bits_f32)(h >= least));
}
static inline vec_f32 at_most_f32(vec_f32 x, float most) {
    const bits_f32 large = x > most;
    return (vec_f32)(((bits_f32)x & ~large) | ((bits_f32)(x * 0 + most) & large));
}
#endif
/* x where h has not reached `least`, else 0. */
static inline vec_f64 keep_unless_f64(vec_f64 h, vec_f64 least, vec_f64 x) {
    return (vec_f64)((bits_f64)x & ~(bits_f64)(h >= least));
}

static inline vec_f32 magnitude_f32(vec_f32 x) { return (vec_f32)((bits_f32)x & 0x7fffffff); }
static inline vec_f64 magnitude_f64(vec_f64 x) { return (vec_f64)((bits_f64)x & 0x7fffffffffffffff); }

/* exp(-z) for z >= 0, to 2 units in the last place; after Cephes' expf (Moshier 1992). e^-87 is the last normal
 * number. */
static inline vec_f32 negative_exponential_f32(vec_f32 z) {
    z = at_most_f32(z, 87.0f);
    const bits_f32 whole = __builtin_convertvector(z * 1.44269504f + 0.5f, bits_f32);
    const vec_f32 n = __builtin_convertvector(whole, vec_f32);
    const vec_f32 r = (n * 0.693359375f - z) - n * 2.12194440e-4f; /* n ln 2 - z */
    vec_f32 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + (r + 1.0f);
    return p * (vec_f32)((127 - whole) << 23); /* times 2^-n */
}

static inline vec_f64 negative_exponential_f64(vec_f64 z) {
    for (int i = 0; i < VECTOR_BYTES / 8; i++) z[i] = exp(-z[i]);
    return z;
}

/* 1 / x, to 2 units in the last place. */
static inline vec_f32 reciprocal_f32(vec_f32 x) {
#ifdef __AVX512F__
    const vec_f32 near = (vec_f32)_mm512_rcp14_ps((__m512)x);
    return near * (2.0f - x * near); /* Newton's step */
#else
    return 1.0f / x;
#endif
}

static inline vec_f64 reciprocal_f64(vec_f64 x) { return 1.0 / x; }

/* Which of eight values are 1; wrong where one is neither 0 nor 1. */
static inline uint32_t eight_f32(const float *row, int *wrong) {
#ifdef __AVX__
    const __m256 x = _mm256_loadu_ps(row);
    const int ones = _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_set1_ps(1), _CMP_EQ_OQ));
    *wrong = ones != _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    return (uint32_t)ones;
#else
    uint32_t ones = 0, others = 0;
    for (int j = 0; j < 8; j++) ones |= (uint32_t)(row[j] == 1) << j, others |= (uint32_t)(row[j] != 0) << j;
    *wrong = ones != others;
    return ones;
#endif
}

static inline uint32_t eight_f64(const double *row, int *wrong) {
    uint32_t ones = 0, others = 0;
    for (int j = 0; j < 8; j++) ones |= (uint32_t)(row[j] == 1) << j, others |= (uint32_t)(row[j] != 0) << j;
    *wrong = ones != others;
    return ones;
}

/* 3x3 stride-2 max-pool, padded by 1, of an image of zeros and ones, eight channels in a word;
 * `choice` is the first greatest tap in the order of the window. */
static void pool_bytes(const uint8_t *image, int64_t H, int64_t W, int64_t C, uint8_t *out, uint8_t *choice) {
    const int64_t h = (H - 1) / 2 + 1, w = (W - 1) / 2 + 1;
    for (int64_t oy = 0; oy < h; oy++)
        for (int64_t ox = 0; ox < w; ox++) {
            const int64_t y0 = oy ? 0 : 1, y1 = 2 * oy + 1 < H ? 3 : 2, x0 = ox ? 0 : 1, x1 = 2 * ox + 1 < W ? 3 : 2;
            const uint8_t *corner = image + ((2 * oy - 1) * W + 2 * ox - 1) * C;
            const uint64_t ones = 0x0101010101010101u, first = ones * (uint64_t)(3 * y0 + x0);
            int64_t c = 0;
            for (; c + 8 <= C; c += 8) {
                uint64_t best = 0, tap = first, in;
                for (int64_t ky = y0; ky < y1; ky++)
                    for (int64_t kx = x0; kx < x1; kx++) {
                        memcpy(&in, corner + (ky * W + kx) * C + c, 8);
                        const uint64_t more = in & ~best;
                        tap = (tap & ~(more * 255)) | more * (uint64_t)(3 * ky + kx);
                        best |= in;
                    }
                memcpy(out + (oy * w + ox) * C + c, &best, 8);
                memcpy(choice + (oy * w + ox) * C + c, &tap, 8);
            }
            for (; c < C; c++) {
                uint8_t best = 0, tap = (uint8_t)(3 * y0 + x0);
                for (int64_t ky = y0; ky < y1; ky++)
                    for (int64_t kx = x0; kx < x1; kx++) {
                        const uint8_t in = corner[(ky * W + kx) * C + c];
                        tap = in > best ? (uint8_t)(3 * ky + kx) : tap;
                        best |= in;
                    }
                out[(oy * w + ox) * C + c] = best;
                choice[(oy * w + ox) * C + c] = tap;
            }
        }
}

/* Lists the bytes that are 1, as events; returns how many there are. */
static int64_t list_bytes(const uint8_t *spikes, int64_t pixels, int64_t C, uint16_t *channel, uint16_t *count) {
    int64_t total = 0;
    for (int64_t pixel = 0; pixel < pixels; pixel++) {
        const uint8_t *row = spikes + pixel * C;
        uint16_t *list = channel + pixel * C;
        int64_t c = 0, n = 0;
        for (; c + 8 <= C; c += 8) {
            uint64_t word;
            memcpy(&word, row + c, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            word = __builtin_bswap64(word);
#endif
            for (; word; word &= word - 1) list[n++] = (uint16_t)(c + __builtin_ctzll(word) / 8);
        }
        for (; c < C; c++)
            if (row[c]) list[n++] = (uint16_t)c;
        count[pixel] = (uint16_t)n;
        total += n;
    }
    return total;
}

/* A bit for each lane of a mask. */
static inline uint32_t mask_f32(bits_f32 lanes) {
#ifdef __AVX512F__
    return _mm512_test_epi32_mask((__m512i)lanes, (__m512i)lanes);
#else
    uint32_t mask = 0;
    for (int i = 0; i < 16; i++) mask |= (uint32_t)(lanes[i] & 1) << i;
    return mask;
#endif
}

static inline uint32_t mask_f64(bits_f64 lanes) {
    uint32_t mask = 0;
    for (int i = 0; i < 8; i++) mask |= (uint32_t)(lanes[i] & 1) << i;
    return mask;
}

#define REAL float
#define INT int32_t
#define NAME(x) x##_f32
#include "spiking.inc"
#undef REAL
#undef INT
#undef NAME

#define REAL double
#define INT int64_t
#define NAME(x) x##_f64
#include "spiking.inc"

/* Whether a vector is a register: kernels that keep many are no faster than a library otherwise. */
int64_t wide_registers(void) {
#ifdef __AVX512F__
    return 1;
#else
    return 0;
#endif
}
