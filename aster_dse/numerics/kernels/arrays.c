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

#define COLUMNS 64 /* columns of a group: they are summed together */
#define HALF 32
#define WINDOWS 64 /* that are computed together */
#define PIECE 32   /* rows that are copied at once */
#define SEEN 3     /* counts of a sample: driven rows, active windows, active accesses */
#define TABLE_BYTES (512 * 1024)
#define TOGETHER 12 /* most groups of columns that are summed at once */

#include "vectors.inc"
#include "window.inc"
#include "pattern.inc"
#include "digital.inc"
#include "narrow.inc"
#include "wide.inc"
#include "loose.inc"
#include "chunk.inc"
#include "histogram.inc"
#include "frames.inc"

/* Sums of every pattern of a channel, where that is worth it; NULL else. */
static void *table_of(const input *in, int64_t first, const columns *c, int narrow) {
    const int64_t cell = narrow ? 1 : 2, stride = c->groups * COLUMNS, windows = (in->last - first) * in->H * in->W;
    if (in->kernel != 3 || c->most < 9 || windows < 2 * PATTERNS || in->C * PATTERNS * stride * cell > TABLE_BYTES)
        return NULL;
    return narrow ? (void *)byte_table(c->cells, in->C, stride) : (void *)word_table(c->cells, in->C, stride);
}

enum { NARROW, WIDE, LOOSE };

static int layer(const input *in, int64_t first, const columns *c, const digital *d, const noise *with, int kind,
                 int64_t large, int64_t *seen) {
    const int64_t size = in->H * in->W, end = in->last * size, width = c->groups * (c->pair ? HALF : COLUMNS);
    const int64_t pitch = width + HALF; /* outputs are read 16 at a time, beyond the last */
    const int every = with && with->table && !with->gated;
    chunk k;
    windows w = {0};
    patterns p = {0};
    void *sums = NULL, *table = kind == LOOSE ? NULL : table_of(in, first, c, kind == NARROW);
    int failed = table ? patterns_new(&p, in) : windows_new(&w, in);
    failed |= posix_memalign(&sums, 64, (size_t)(WINDOWS * pitch) * (kind == LOOSE ? 4 : 2));
    for (k.at = first * size; !failed && k.at < end; k.at += k.count) {
        k.count = end - k.at < WINDOWS ? end - k.at : WINDOWS;
        if (table) {
            if (k.at % size + k.count > size) k.count = size - k.at % size;
            if (p.image != k.at / size) patterns_read(&p, in, k.at / size);
        } else {
            windows_read(&w, in, k.at, k.at + k.count);
        }
        count_chunk(&k, &w, &p, in, table != NULL, seen || d->offset, first, seen);
        if (kind == NARROW) narrow_chunk(&w, &p, in, table, &k, c, sums, pitch);
        else if (kind == WIDE) wide_chunk(&w, &p, in, table, &k, c, sums, pitch);
        else loose_chunk(&w, k.at, k.count, size, c, large, with, sums, pitch);
        for (int64_t j = 0; j < k.actives; j++) {
            const int64_t i = k.active[j];
            put_to_use(d, kind == LOOSE ? NULL : (int16_t *)sums + i * pitch,
                       kind == LOOSE ? (int32_t *)sums + i * pitch : NULL, width, k.at + i, size, k.driven[i]);
        }
        for (int64_t j = 0; j < k.silents; j++) {
            const int64_t i = k.silent[j];
            if (every) put_to_use(d, NULL, (int32_t *)sums + i * pitch, width, k.at + i, size, 0);
            else put_silence(d, k.at + i, size);
        }
    }
    windows_free(&w);
    patterns_free(&p);
    free(sums);
    free(table);
    return failed;
}

/* A layer over images [first, last) of events, whose column sums fit into 16 bits.
 *   cells       [fan-in][groups][64] bytes: of a pair 32 columns of the plus side, then those of the minus side
 *   most        rows whose cells' sum is below 256
 *   multiplier, highest  [groups][64]: m (32767 for 2^15) and levels - 1
 *   scale       [slices][padded] and 16 more; bias [outputs], or [H * W] of them at bias_step; rows of 16 numbers
 *   offset      NULL, or [2][padded] and 16 more: what each driven row takes off
 *   y           [images][H][W][y_step], of which `outputs` are written
 *   planes      NULL, or [images][H * W][groups * 32 or 64] digital sums to which 2^plane times these are added; y is
 *               not written then
 *   seen        NULL, or [last - first][3] counts, added to */
int arrays_narrow(const uint16_t *channel, const uint16_t *count, int64_t first, int64_t last, int64_t H, int64_t W,
                  int64_t C, int64_t kernel, int64_t rows, const uint8_t *cells, int64_t groups, int64_t most,
                  const int16_t *multiplier, const int16_t *highest, int64_t pair, const float *scale, int64_t slices,
                  int64_t outputs, int64_t padded, const float *bias, int64_t bias_step, const float *offset, float *y,
                  int64_t y_step, int32_t *planes, int64_t plane, int64_t *seen) {
    const input in = {channel, count, last, H, W, C, kernel, rows};
    const columns c = {cells, groups, most, multiplier, highest, pair};
    const digital d = {scale, slices, outputs, padded, bias, bias_step, offset, y, y_step, planes, plane};
    return layer(&in, first, &c, &d, NULL, NARROW, 0, seen);
}

/* As `arrays_narrow`, of cells with 8 fractional bits, `most` rows of which sum to less than 65,536, no tile to 2^23;
 * m as it is. */
int arrays_wide(const uint16_t *channel, const uint16_t *count, int64_t first, int64_t last, int64_t H, int64_t W,
                int64_t C, int64_t kernel, int64_t rows, const uint16_t *cells, int64_t groups, int64_t most,
                const uint16_t *multiplier, const int16_t *highest, int64_t pair, const float *scale, int64_t slices,
                int64_t outputs, int64_t padded, const float *bias, int64_t bias_step, const float *offset, float *y,
                int64_t y_step, int32_t *planes, int64_t plane, int64_t *seen) {
    const input in = {channel, count, last, H, W, C, kernel, rows};
    const columns c = {cells, groups, most, multiplier, highest, pair};
    const digital d = {scale, slices, outputs, padded, bias, bias_step, offset, y, y_step, planes, plane};
    return layer(&in, first, &c, &d, NULL, WIDE, 0, seen);
}

/* As `arrays_wide`, multiplier, highest and digital sums in 32 bits, sums of any size (`large` from 2^24 on), with read
 * noise where there is a table of it. */
int arrays_loose(const uint16_t *channel, const uint16_t *count, int64_t first, int64_t last, int64_t H, int64_t W,
                 int64_t C, int64_t kernel, int64_t rows, const uint16_t *cells, int64_t groups, int64_t most,
                 const int32_t *multiplier, const int32_t *highest, int64_t pair, const float *scale, int64_t slices,
                 int64_t outputs, int64_t padded, const float *bias, int64_t bias_step, const float *offset, float *y,
                 int64_t y_step, int32_t *planes, int64_t plane, int64_t *seen, int64_t large,
                 const uint64_t *column_key, const int32_t *noise_table, int64_t gated, int64_t per_step,
                 int64_t sample) {
    const input in = {channel, count, last, H, W, C, kernel, rows};
    const columns c = {cells, groups, most, multiplier, highest, pair};
    const digital d = {scale, slices, outputs, padded, bias, bias_step, offset, y, y_step, planes, plane};
    const noise with = {column_key, noise_table, gated, per_step, sample, plane};
    return layer(&in, first, &c, &d, &with, LOOSE, large, seen);
}
