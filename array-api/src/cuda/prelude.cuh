// What every kernel may use: the element types' arithmetic with the meaning that it has on the CPU
// (integers wrap around, casts saturate), and where the elements of a strided view lie.

typedef long long i64;
typedef unsigned char u8;

template <class T> struct Wrapping { typedef T Type; };
template <> struct Wrapping<int> { typedef unsigned Type; };
template <> struct Wrapping<i64> { typedef unsigned long long Type; };
template <> struct Wrapping<u8> { typedef unsigned Type; };

template <class T> struct Limits;
template <> struct Limits<float> {
    static __device__ float low() { return __int_as_float(0xff800000); }
    static __device__ float high() { return __int_as_float(0x7f800000); }
};
template <> struct Limits<double> {
    static __device__ double low() { return __longlong_as_double(0xfff0000000000000ULL); }
    static __device__ double high() { return __longlong_as_double(0x7ff0000000000000ULL); }
};
template <> struct Limits<int> {
    static __device__ int low() { return -2147483647 - 1; }
    static __device__ int high() { return 2147483647; }
};
template <> struct Limits<i64> {
    static __device__ i64 low() { return -9223372036854775807LL - 1; }
    static __device__ i64 high() { return 9223372036854775807LL; }
};
template <> struct Limits<u8> {
    static __device__ u8 low() { return 0; }
    static __device__ u8 high() { return 255; }
};

// The smallest and the largest value: the infinities of floating point.
template <class T> __device__ T lowest() { return Limits<T>::low(); }
template <class T> __device__ T highest() { return Limits<T>::high(); }

template <class T> struct IsFloat { static const bool value = false; };
template <> struct IsFloat<float> { static const bool value = true; };
template <> struct IsFloat<double> { static const bool value = true; };

template <class T> __device__ bool is_nan(T x) { return x != x; }
template <class T> __device__ bool is_infinite(T x) { return x == highest<T>() || x == lowest<T>(); }
template <class T> __device__ bool is_finite(T x) { return !is_nan(x) && !is_infinite(x); }
__device__ inline bool sign_bit(float x) { return __float_as_int(x) < 0; }
__device__ inline bool sign_bit(double x) { return __double_as_longlong(x) < 0; }

template <class U, class T> struct Cast {
    static __device__ U of(T x) {
        if constexpr (IsFloat<T>::value && !IsFloat<U>::value) {
            if (is_nan(x)) return 0;
            if (x <= (T)lowest<U>()) return lowest<U>();
            if (x >= (T)highest<U>()) return highest<U>();
        }
        return (U)x;
    }
};
template <class T> struct Cast<bool, T> {
    static __device__ bool of(T x) { return x != 0; }
};
template <class U, class T> __device__ U cast(T x) { return Cast<U, T>::of(x); }

// A result as it was rounded: the compiler must not fuse its product with the sum of another function.
template <class T> __device__ T settled(T x) { return x; }
#ifdef __CUDACC_RTC__
template <> __device__ inline float settled(float x) { asm("" : "+f"(x)); return x; }
template <> __device__ inline double settled(double x) { asm("" : "+d"(x)); return x; }
#endif

template <class T> __device__ T add(T a, T b) {
    typedef typename Wrapping<T>::Type W;
    return (T)((W)a + (W)b);
}
template <class T> __device__ T subtract(T a, T b) {
    typedef typename Wrapping<T>::Type W;
    return (T)((W)a - (W)b);
}
template <class T> __device__ T multiply(T a, T b) {
    typedef typename Wrapping<T>::Type W;
    return (T)((W)a * (W)b);
}
template <class T> __device__ T negative(T x) {
    typedef typename Wrapping<T>::Type W;
    return (T)(-(W)x);
}
template <class T> __device__ T absolute(T x) {
    if constexpr (IsFloat<T>::value) return fabs(x);
    else return x < 0 ? negative(x) : x;
}
template <class T> __device__ T sign(T x) {
    if (x > 0) return 1;
    if (x < 0) return (T)-1;
    // Adding zero turns -0 into 0 and keeps NaN.
    return x + (T)0;
}

// The quotient rounded down; integers divided by zero give zero.
template <class T> __device__ T floor_divide(T a, T b) {
    if constexpr (IsFloat<T>::value) {
        T rest = fmod(a, b);
        T quotient = (a - rest) / b;
        bool below = rest != 0 && (rest < 0) != (b < 0);
        T down = round(below ? quotient - 1 : quotient);
        if (b == 0) return a / b;
        return down == 0 ? copysign((T)0, a / b) : down;
    } else {
        if (b == 0) return 0;
        // The quotient of the smallest number and -1 overflows.
        if ((T)-1 < 0 && b == (T)-1) return negative(a);
        T quotient = a / b, rest = a % b;
        return rest != 0 && (rest > 0) != (b > 0) ? quotient - 1 : quotient;
    }
}
// The remainder that belongs to it, with the sign of the divisor.
template <class T> __device__ T floor_remainder(T a, T b) {
    if constexpr (IsFloat<T>::value) {
        T rest = fmod(a, b);
        if (rest == 0) return copysign((T)0, b);
        return (rest < 0) != (b < 0) ? rest + b : rest;
    } else {
        if (b == 0) return 0;
        // The quotient of the smallest number and -1 overflows.
        if ((T)-1 < 0 && b == (T)-1) return 0;
        T rest = a % b;
        return rest != 0 && (rest > 0) != (b > 0) ? add(rest, b) : rest;
    }
}

template <class T> __device__ T shift_left(T x, T by) {
    typedef typename Wrapping<T>::Type W;
    return by < 0 || by >= (T)(8 * sizeof(T)) ? 0 : (T)((W)x << by);
}
template <class T> __device__ T shift_right(T x, T by) {
    const T last = 8 * sizeof(T) - 1;
    return by < 0 || by > last ? (T)((x >> last) >> 1) : (T)(x >> by);
}

template <class T> __device__ T log_add_exp(T a, T b) {
    // Equal infinities would give NaN below.
    if (a == b) return a + (T)0.69314718055994530942;
    if (is_nan(a)) return a;
    T high = a > b ? a : b, low = a > b ? b : a;
    return high + log1p(exp(low - high));
}

// An array's axes, neighbours joined where that leaves them regular.
const int AXES = 16;
struct Layout {
    i64 ndim, offset, shape[AXES], strides[AXES];
};

__device__ inline i64 divide(i64 a, i64 b) {
    // Division of 64-bit numbers takes several times as long.
    if (((a | b) >> 32) == 0) return (unsigned)a / (unsigned)b;
    return a / b;
}

// Where element number `i` in row-major order lies in the buffer.
__device__ inline i64 position(const Layout &layout, i64 i) {
    i64 at = layout.offset;
    for (int axis = (int)layout.ndim - 1; axis > 0; --axis) {
        i64 length = layout.shape[axis], rest = divide(i, length);
        at += (i - rest * length) * layout.strides[axis];
        i = rest;
    }
    return at + i * layout.strides[0];
}

// The number of this thread in the grid.
__device__ inline i64 thread_number() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }
