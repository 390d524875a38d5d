// The kernels that are no formula of one entry. `Real` and `Index` are defined in front of this file.
//
// Arrays are contiguous, images are (N, H, W, C). Nothing here depends on the order in which threads run: no sum is
// made of atomic additions of floating-point numbers, so the same input gives the same bits.

const int THREADS = 256;  // of every block of the kernels that add up over a block

template <typename Sum>
__device__ Sum block_sum(Sum value, Sum* partial) {
    partial[threadIdx.x] = value;
    __syncthreads();
    for (unsigned int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    return partial[0];
}

extern "C" __global__ void add_bias(Real* y, const Real* b, int size, int C) {
    FOR_EACH(int, i, size) y[i] += b[i % C];
}

extern "C" __global__ void normalise(
    const Real* x, const Real* mean, const Real* scale, const Real* shift, Real* y, int size, int C) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        y[i] = (x[i] - mean[c]) * scale[c] + shift[c];
    }
}

extern "C" __global__ void centred_square(const Real* x, const Real* mean, Real* squares, int size, int C) {
    FOR_EACH(int, i, size) {
        const Real away = x[i] - mean[i % C];
        squares[i] = away * away;
    }
}

extern "C" __global__ void centred_product(
    const Real* grad_y, const Real* x, const Real* mean, Real* product, int size, int C) {
    FOR_EACH(int, i, size) product[i] = (x[i] - mean[i % C]) * grad_y[i];
}

// Where it is written may be where the gradient is read.
extern "C" __global__ void normalise_gradient(
    const Real* grad_y, const Real* x, const Real* mean, const Real* along, const Real* common, const Real* scale,
    Real* grad_x, int size, int C) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        grad_x[i] = ((x[i] - mean[c]) * along[c] + grad_y[i] - common[c]) * scale[c];
    }
}

// A label that is out of range gives NaN, which the loss hands on.
extern "C" __global__ void one_hot(const Index* labels, Real* t, Index size, Index K) {
    FOR_EACH(Index, i, size) {
        const Index label = labels[i / K];
        const Real zero = 0;
        t[i] = label < 0 || label >= K ? zero / zero : (Real)(label == i % K);
    }
}

// A thread takes a row.
extern "C" __global__ void log_softmax(const Real* o, Real* out, Index N, Index K) {
    FOR_EACH(Index, n, N) {
        const Real* row = o + n * K;
        Real highest = row[0];
        for (Index k = 1; k < K; ++k) highest = maximum(highest, row[k]);
        Real sum = 0;
        for (Index k = 0; k < K; ++k) sum += exp(row[k] - highest);
        const Real log_sum = log(sum);
        for (Index k = 0; k < K; ++k) out[n * K + k] = row[k] - highest - log_sum;
    }
}

// One block. Of equal logits the first is the prediction; one that is not a number counts as the largest.
extern "C" __global__ void tally(const Real* logits, const Index* labels, const Real* terms, Index* counts,
                                 double* sums, Index N, Index K) {
    __shared__ double partial[THREADS];
    double sum = 0;
    for (Index i = threadIdx.x; i < N * K; i += THREADS) sum += terms[i];
    for (Index n = threadIdx.x; n < N; n += THREADS) {
        const Real* row = logits + n * K;
        Index best = 0;
        for (Index k = 1; k < K; ++k) {
            if (row[best] == row[best] && (row[k] > row[best] || row[k] != row[k])) best = k;
        }
        if (labels[n] >= 0 && labels[n] < K) atomicAdd((unsigned long long*)(counts + labels[n] * K + best), 1ULL);
    }
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        double total = 0;
        for (int i = 0; i < THREADS; ++i) total += partial[i];
        sums[0] += total;
        sums[1] += 1;
        if (total - total != 0 && sums[2] == 0) {
            sums[2] = sums[1];
            sums[3] = total;
        }
    }
}

// A block takes a row: the inner product of that of `a` (N, n) and that of `b`.
extern "C" __global__ void row_dots(const Real* a, const Real* b, Real* out, Index n) {
    __shared__ Real partial[THREADS];
    const Index row = blockIdx.x;
    Real sum = 0;
    for (Index j = threadIdx.x; j < n; j += THREADS) sum += a[row * n + j] * b[row * n + j];
    const Real whole = block_sum(sum, partial);
    if (threadIdx.x == 0) out[row] = whole;
}

// A block takes the vector W[:, b, :] of W (A, B, C), and scales it back to a norm of at most `bound`.
extern "C" __global__ void limit_norms(Real* W, Index A, Index B, Index C, Real bound) {
    __shared__ Real partial[THREADS];
    Real* const vector = W + blockIdx.x * C;
    Real sum = 0;
    for (Index i = threadIdx.x; i < A * C; i += THREADS) {
        const Real w = vector[i / C * (B * C) + i % C];
        sum += w * w;
    }
    const Real norm = sqrt(block_sum(sum, partial));
    if (norm > bound) {
        const Real scale = bound / norm;
        for (Index i = threadIdx.x; i < A * C; i += THREADS) vector[i / C * (B * C) + i % C] *= scale;
    }
}

// As many blocks as a block has threads: each leaves the sum of its share of the squares in `sums` (THREADS).
extern "C" __global__ void squares(const Real* vector, double* sums, Index size) {
    __shared__ double partial[THREADS];
    double sum = 0;
    FOR_EACH(Index, i, size) sum += (double)vector[i] * vector[i];
    const double whole = block_sum(sum, partial);
    if (threadIdx.x == 0) sums[blockIdx.x] = whole;
}

// Every block adds up what `squares` left, in the same order.
extern "C" __global__ void clip_norm(Real* vector, const double* sums, Real bound, Index size) {
    __shared__ double partial[THREADS];
    const double whole = block_sum(sums[threadIdx.x], partial);
    if (whole > (double)bound * bound) {
        const Real factor = (Real)(bound / sqrt(whole));
        FOR_EACH(Index, i, size) vector[i] *= factor;
    }
}

// Philox4x32-10 (Salmon et al., SC 2011): four random words from a counter of four and a key of two.
__device__ void philox(unsigned int* counter, unsigned int key0, unsigned int key1) {
    for (int round = 0; round < 10; ++round) {
        const unsigned long long product0 = 0xD2511F53ULL * counter[0];
        const unsigned long long product1 = 0xCD9E8D57ULL * counter[2];
        counter[0] = (unsigned int)(product1 >> 32) ^ counter[1] ^ key0;
        counter[1] = (unsigned int)product1;
        counter[2] = (unsigned int)(product0 >> 32) ^ counter[3] ^ key1;
        counter[3] = (unsigned int)product0;
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
}

// The words of the so-many-th group of entries. `pass` and, in a step that is replayed, how much `later` than when it
// was recorded, number the training pass.
__device__ void draw(unsigned int* words, Index group, unsigned int key0, unsigned int key1, Index pass, Index later) {
    const unsigned long long number = pass + later;
    words[0] = (unsigned int)group;
    words[1] = (unsigned int)((unsigned long long)group >> 32);
    words[2] = (unsigned int)number;
    words[3] = (unsigned int)(number >> 32);
    philox(words, key0, key1);
}

// A thread takes four entries; of the 2^32 values of a word, `threshold` keep it.
extern "C" __global__ void dropout(const Real* x, Real* mask, Real* out, Index size, unsigned int key0,
                                   unsigned int key1, Index pass, const Index* later, Index threshold, Real scale) {
    FOR_EACH(Index, group, (size + 3) / 4) {
        unsigned int words[4];
        draw(words, group, key0, key1, pass, *later);
        for (int j = 0; j < 4 && 4 * group + j < size; ++j) {
            const Index i = 4 * group + j;
            mask[i] = words[j] < threshold ? scale : (Real)0;
            out[i] = x[i] * mask[i];
        }
    }
}

// Above 0, at most 1: from 53 bits of two words, as many as a double holds.
__device__ Real unit(unsigned int high, unsigned int low) {
    const unsigned long long bits = (((unsigned long long)high << 32) | low) >> 11;
    return (Real)(bits + 1) * (Real)1.1102230246251565e-16;  // 2^-53
}

// A thread takes two entries, as of the next kernel.
extern "C" __global__ void uniform(Real* out, Index size, unsigned int key0, unsigned int key1, Index pass,
                                   const Index* later, Real bound) {
    FOR_EACH(Index, group, (size + 1) / 2) {
        unsigned int words[4];
        draw(words, group, key0, key1, pass, *later);
        for (int j = 0; j < 2 && 2 * group + j < size; ++j) {
            out[2 * group + j] = (2 * unit(words[2 * j], words[2 * j + 1]) - 1) * bound;
        }
    }
}

// Box and Muller, Annals of Mathematical Statistics 29 (1958), eq. 1: the length and the direction of a point.
extern "C" __global__ void normal(Real* out, Index size, unsigned int key0, unsigned int key1, Index pass,
                                  const Index* later) {
    FOR_EACH(Index, group, (size + 1) / 2) {
        unsigned int words[4];
        draw(words, group, key0, key1, pass, *later);
        const Real radius = sqrt(-2 * log(unit(words[0], words[1])));
        const Real turns = 2 * unit(words[2], words[3]);
        out[2 * group] = radius * cospi(turns);
        if (2 * group + 1 < size) out[2 * group + 1] = radius * sinpi(turns);
    }
}

// Places in images are counted in 32 bits, in which a division takes a fraction of the time.

// The windows of x (N, H, W, C) as the rows of a matrix, (N, Ho, Wo) by (k, k, C); beyond the border are zeros.
//
// A block takes the windows of one row of an output image. What a row of a window holds lies in one piece, in x and in
// the matrix, and a thread that goes on to its next entry adds with carry, since to divide takes longer than to copy.
extern "C" __global__ void im2col(const Real* x, Real* columns, int H, int W, int C, int Ho, int Wo, int k, int stride,
                                  int padding) {
    const int piece = k * C;
    const int n = blockIdx.x / Ho;
    const int top = blockIdx.x % Ho * stride - padding;
    const int place_step = THREADS % piece, window_step = THREADS / piece % Wo, row_step = THREADS / piece / Wo;
    int place = threadIdx.x % piece, window = threadIdx.x / piece % Wo, row = threadIdx.x / piece / Wo;
    while (row < k) {
        const int h = top + row;
        const int along = (window * stride - padding) * C + place;
        const bool inside = h >= 0 && h < H && along >= 0 && along < W * C;
        columns[(((int)blockIdx.x * Wo + window) * k + row) * piece + place] =
            inside ? x[(n * H + h) * (W * C) + along] : (Real)0;
        place += place_step;
        window += window_step;
        row += row_step;
        if (place >= piece) {
            place -= piece;
            ++window;
        }
        if (window >= Wo) {
            window -= Wo;
            ++row;
        }
    }
}

// The transpose of im2col: each entry of x gets the sum of what the windows hold at its place, from the last window on.
extern "C" __global__ void col2im(const Real* columns, Real* x, int size, int H, int W, int C, int Ho,
                                  int Wo, int k, int stride, int padding) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        const int w = i / C % W + padding;
        const int line = i / C / W;
        const int h = line % H + padding;
        const int n = line / H;
        const int bottom = h / stride < Ho ? h / stride : Ho - 1;
        const int right = w / stride < Wo ? w / stride : Wo - 1;
        Real sum = 0;
        for (int top = bottom; top >= 0 && h - top * stride < k; --top) {
            for (int left = right; left >= 0 && w - left * stride < k; --left) {
                const int window = (n * Ho + top) * Wo + left;
                sum += columns[((window * k + h - top * stride) * k + w - left * stride) * C + c];
            }
        }
        x[i] = sum;
    }
}

extern "C" __global__ void max_pool(const Real* x, Real* out, unsigned char* chosen, int size, int H, int W,
                                    int C, int Ho, int Wo, int k, int stride) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        const int left = i / C % Wo * stride;
        const int top = i / (C * Wo) % Ho * stride;
        const int n = i / (C * Wo * Ho);
        Real highest = 0;
        unsigned char place = 0;
        for (int index = 0; index < k * k; ++index) {
            const Real entry = x[((n * H + top + index / k) * W + left + index % k) * C + c];
            if (index == 0 || entry > highest || entry != entry) {
                highest = entry;
                place = (unsigned char)index;
            }
        }
        out[i] = highest;
        chosen[i] = place;
    }
}

// An entry gets the gradients of the windows that chose it, from the last window on.
extern "C" __global__ void max_pool_gradient(const Real* grad_y, const unsigned char* chosen, Real* out, int size,
                                             int H, int W, int C, int Ho, int Wo, int k, int stride) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        const int w = i / C % W;
        const int h = i / (C * W) % H;
        const int n = i / (C * W * H);
        Real sum = 0;
        for (int row = h / stride; row >= 0 && h - row * stride < k; --row) {
            for (int column = w / stride; column >= 0 && w - column * stride < k; --column) {
                if (row >= Ho || column >= Wo) continue;
                const int window = ((n * Ho + row) * Wo + column) * C + c;
                if (chosen[window] == (h - row * stride) * k + w - column * stride) sum += grad_y[window];
            }
        }
        out[i] = sum;
    }
}

extern "C" __global__ void max_pool_tangent(const Real* dx, const unsigned char* chosen, Real* out, int size, int H,
                                            int W, int C, int Ho, int Wo, int k, int stride) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        const int w = i / C % Wo * stride + chosen[i] % k;
        const int h = i / (C * Wo) % Ho * stride + chosen[i] / k;
        const int n = i / (C * Wo * Ho);
        out[i] = dx[((n * H + h) * W + w) * C + c];
    }
}

extern "C" __global__ void unpool(const Real* y, Real* out, int size, int H, int W, int C, int Ho, int Wo,
                                  int stride) {
    FOR_EACH(int, i, size) {
        const int column = i / C % W / stride;
        const int row = i / (C * W) % H / stride;
        const int n = i / (C * W * H);
        out[i] = y[((n * Ho + (row < Ho ? row : Ho - 1)) * Wo + (column < Wo ? column : Wo - 1)) * C + i % C];
    }
}

// The last row and the last column of windows also filled what lies beyond them.
extern "C" __global__ void unpool_gradient(const Real* grad_x, Real* out, int size, int H, int W, int C,
                                           int Ho, int Wo, int stride) {
    FOR_EACH(int, i, size) {
        const int column = i / C % Wo;
        const int row = i / (C * Wo) % Ho;
        const int n = i / (C * Wo * Ho);
        const int bottom = row == Ho - 1 ? H : (row + 1) * stride;
        const int right = column == Wo - 1 ? W : (column + 1) * stride;
        Real sum = 0;
        for (int h = row * stride; h < bottom; ++h) {
            for (int w = column * stride; w < right; ++w) sum += grad_x[((n * H + h) * W + w) * C + i % C];
        }
        out[i] = sum;
    }
}

extern "C" __global__ void average_pool(const Real* x, Real* out, int size, int H, int W, int C, int Ho, int Wo, int k,
                                        int stride) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        const int left = i / C % Wo * stride;
        const int top = i / (C * Wo) % Ho * stride;
        const int n = i / (C * Wo * Ho);
        Real sum = 0;
        for (int column = left; column < left + k; ++column) {
            for (int row = top; row < top + k; ++row) sum += x[((n * H + row) * W + column) * C + c];
        }
        out[i] = sum * (1 / (Real)(k * k));
    }
}

// As `max_pool_gradient`, of windows that all chose each of their entries.
extern "C" __global__ void average_pool_gradient(const Real* grad_y, Real* out, int size, int H, int W, int C, int Ho,
                                                 int Wo, int k, int stride) {
    FOR_EACH(int, i, size) {
        const int c = i % C;
        const int w = i / C % W;
        const int h = i / (C * W) % H;
        const int n = i / (C * W * H);
        Real sum = 0;
        for (int row = h / stride; row >= 0 && h - row * stride < k; --row) {
            for (int column = w / stride; column >= 0 && w - column * stride < k; --column) {
                if (row < Ho && column < Wo) sum += grad_y[((n * Ho + row) * Wo + column) * C + c];
            }
        }
        out[i] = sum * (1 / (Real)(k * k));
    }
}

// Where an output line lies between two lines of the source, in whole numbers so that it may fall on one exactly.
__device__ Real between(int place, int start, int margin, int side, int* first, int* second) {
    const int steps = side > 1 ? side - 1 : 1;
    const int crop_steps = side - 1 - margin;
    const int line = place * crop_steps / steps;
    *first = start + line;
    *second = start + (line + 1 < crop_steps ? line + 1 : crop_steps);
    return (Real)(place * crop_steps % steps) / (Real)steps;
}

// `draws` holds a row each of N: top, left, margin, mirrored.
extern "C" __global__ void crop_and_mirror(const Real* images, const Index* draws, Real* out, int size, int N,
                                           int H, int W, int C) {
    FOR_EACH(int, i, size) {
        const int n = i / (C * W * H);
        const int column = i / C % W;
        const int margin = draws[2 * N + n];
        int upper, lower, left, right;
        const Real down = between(i / (C * W) % H, draws[n], margin, H, &upper, &lower);
        const int from = draws[3 * N + n] ? W - 1 - column : column;
        const Real across = between(from, draws[N + n], margin, W, &left, &right);
        const Real* image = images + n * H * W * C + i % C;
        const Real upper_left = image[(upper * W + left) * C], upper_right = image[(upper * W + right) * C];
        const Real at_left = upper_left + (image[(lower * W + left) * C] - upper_left) * down;
        const Real at_right = upper_right + (image[(lower * W + right) * C] - upper_right) * down;
        out[i] = at_left + (at_right - at_left) * across;
    }
}

// `draws` holds a row each of N: top, left, mirrored.
extern "C" __global__ void shift_and_mirror(const Real* images, const Real* blank, const Index* draws, Real* out,
                                            int size, int N, int H, int W, int C) {
    FOR_EACH(int, i, size) {
        const int n = i / (C * W * H);
        const int j = i / C % W;
        const int row = i / (C * W) % H + (int)draws[n];
        const int column = (draws[2 * N + n] ? W - 1 - j : j) + (int)draws[N + n];
        const bool inside = row >= 0 && row < H && column >= 0 && column < W;
        out[i] = inside ? images[((n * H + row) * W + column) * C + i % C] : blank[i % (H * W * C)];
    }
}
