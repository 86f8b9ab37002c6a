// What dense linear algebra needs beside NVIDIA's libraries. `T` is the element type.

// Addresses of the matrices of a stack, `step` bytes apart.
extern "C" __global__ void addresses(i64 *out, i64 first, i64 step, i64 count) {
    i64 i = thread_number();
    if (i < count) out[i] = first + i * step;
}

// Sets what is above the diagonals of square row-major matrices to zero; `count` elements.
extern "C" __global__ void clear_above(T *x, i64 n, i64 count) {
    i64 i = thread_number();
    if (i >= count) return;
    i64 row = divide(i, n);
    if (i - row * n > row - divide(row, n) * n) x[i] = 0;
}

// Finds the first of `count` diagonal elements, `n` a matrix, that is not positive or, if it need
// not be that, zero or NaN, or that the library reports by its number from 1.
extern "C" __global__ void bad_pivot(const T *x, Layout diagonal, const int *info, i64 n, i64 count,
                                     int positive, i64 *first) {
    i64 i = thread_number();
    if (i >= count) return;
    T pivot = x[position(diagonal, i)];
    bool bad = positive ? !(pivot > 0) : pivot == 0 || is_nan(pivot);
    if (info) {
        i64 matrix = divide(i, n);
        bad |= info[matrix] == i - matrix * n + 1;
    }
    if (bad) atomicMin(first, i);
}

// The determinant of each matrix from its factors: one block of threads a matrix.
const int FACTORS = 256;
extern "C" __global__ void __launch_bounds__(FACTORS)
determinant(const T *lu, const int *pivots, i64 n, const T *a, Layout layout, T *out) {
    __shared__ T factors[FACTORS];
    __shared__ bool unsure, has_nan;
    i64 matrix = blockIdx.x;
    T product = 1;
    bool zero = false;
    for (i64 first = 0; first < n; first += FACTORS) {
        i64 i = first + threadIdx.x;
        if (i < n) {
            T pivot = lu[(matrix * n + i) * n + i];
            // Each exchange of two rows turns the sign.
            factors[threadIdx.x] = pivots[matrix * n + i] == i + 1 ? pivot : -pivot;
        }
        __syncthreads();
        // One after another, so that it overflows where the CPU's product does.
        for (int k = 0; threadIdx.x == 0 && k < FACTORS && first + k < n; ++k) {
            product *= factors[k];
            zero |= factors[k] == 0;
        }
        __syncthreads();
    }
    // What follows a zero pivot was divided by it. In a matrix without NaN the zero stands.
    if (threadIdx.x == 0) {
        unsure = zero && is_nan(product);
        has_nan = false;
    }
    __syncthreads();
    if (unsure) {
        for (i64 i = threadIdx.x; i < n * n; i += FACTORS)
            if (is_nan(a[position(layout, matrix * n * n + i)])) has_nan = true;
    }
    __syncthreads();
    if (threadIdx.x == 0) out[matrix] = unsure && !has_nan ? 0 : product;
}

// Solving with a Cholesky factor. A block of threads solves for `COLUMNS` columns of one matrix,
// `ROWS` rows at a time, in place. Its warps share out the rows solved before: each sums up
// products of its own part. All sums run in an order that depends on the matrix's size alone, and
// every column meets the same instructions, so that no bit of it depends on other columns.
const int ROWS = 32, COLUMNS = 8, WARPS = 4;
struct Workspace {
    // Padded, so that the elements of a column lie in different banks.
    T tile[WARPS][ROWS][ROWS + 1];
    T x[WARPS][ROWS][COLUMNS];
};

// Copies rows `row...` and columns `column...` of a matrix whose rows are `down` apart, and whose
// columns are `across` apart; zeros stand for what is outside.
static __device__ void load(T (*tile)[ROWS + 1], const T *a, i64 down, i64 across, i64 n, i64 row,
                            i64 column) {
    int lane = threadIdx.x % 32;
    // Neighbouring lanes read what lies together.
    bool by_rows = across <= down;
    for (int i = 0; i < ROWS; ++i) {
        int r = by_rows ? i : lane, c = by_rows ? lane : i;
        bool inside = row + r < n && column + c < n;
        tile[r][c] = inside ? a[(row + r) * down + (column + c) * across] : (T)0;
    }
}

// Solves `a x = b` for a lower or upper triangular `a`: `columns` columns of row-major matrices
// that are `width` wide, `b` being overwritten by `x`.
template <bool LOWER>
static __device__ void substitute(Workspace &w, const T *a, i64 down, i64 across, i64 n, T *x,
                                  i64 width, int columns) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    i64 steps = (n + ROWS - 1) / ROWS;
    for (i64 step = 0; step < steps; ++step) {
        i64 first = (LOWER ? step : steps - 1 - step) * ROWS;
        T sums[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; ++c) sums[c] = 0;
        for (i64 solved = warp; solved < step; solved += WARPS) {
            i64 from = (LOWER ? solved : steps - 1 - solved) * ROWS;
            load(w.tile[warp], a, down, across, n, first, from);
            for (int i = lane; i < ROWS * COLUMNS; i += 32) {
                int r = i / COLUMNS, c = i % COLUMNS;
                bool inside = from + r < n && c < columns;
                w.x[warp][r][c] = inside ? x[(from + r) * width + c] : (T)0;
            }
            __syncwarp();
            for (int k = 0; k < ROWS; ++k) {
                T factor = w.tile[warp][lane][k];
                #pragma unroll
                for (int c = 0; c < COLUMNS; ++c) sums[c] = fma(factor, w.x[warp][k][c], sums[c]);
            }
            __syncwarp();
        }
        #pragma unroll
        for (int c = 0; c < COLUMNS; ++c) w.x[warp][lane][c] = sums[c];
        if (warp == 0) load(w.tile[0], a, down, across, n, first, first);
        __syncthreads();
        int rows = n - first < ROWS ? (int)(n - first) : ROWS;
        for (int c = warp; c < columns; c += WARPS) {
            T value = lane < rows ? x[(first + lane) * width + c] : (T)0;
            value -= (w.x[0][lane][c] + w.x[1][lane][c]) + (w.x[2][lane][c] + w.x[3][lane][c]);
            for (int i = 0; i < rows; ++i) {
                int k = LOWER ? i : rows - 1 - i;
                if (lane == k) value /= w.tile[0][k][k];
                T known = __shfl_sync(0xffffffff, value, k);
                if (LOWER ? lane > k : lane < k) value = fma(-w.tile[0][lane][k], known, value);
            }
            if (lane < rows) x[(first + lane) * width + c] = value;
        }
        __syncthreads();
    }
}

// Solves `l l^T x = b` in place of `b`, which is row-major, `width` columns wide; `l` lies as in
// `load`, `step` from one matrix to the next.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
cho_solve(const T *l, i64 step, i64 down, i64 across, i64 n, T *x, i64 width) {
    __shared__ Workspace w;
    i64 parts = (width + COLUMNS - 1) / COLUMNS;
    i64 matrix = divide(blockIdx.x, parts), column = (blockIdx.x - matrix * parts) * COLUMNS;
    int columns = width - column < COLUMNS ? (int)(width - column) : COLUMNS;
    const T *a = l + matrix * step;
    T *y = x + matrix * n * width + column;
    substitute<true>(w, a, down, across, n, y, width, columns);
    substitute<false>(w, a, across, down, n, y, width, columns);
}
