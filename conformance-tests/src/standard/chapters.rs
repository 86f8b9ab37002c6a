//! The tables: every entry of the standard, with what stands for it here.

use std::f64::consts;
use std::ops::{Add, Div, Mul, Neg, Sub};

use array_api::elementwise::binary::{FloorDivide, LeftShift, Pow, Remainder, RightShift};
use array_api::ops::ScalarWith;
use array_api::{Array, Cpu, DType, Device, Element, NewAxis, layout, linalg};

use super::{Chapter, Coverage, Row, without_parameters};

type Floats = Array<f64, Cpu>;

/// A table with rows `name yes path;`, `name partly path, "what is missing";` and
/// `name no, "what to do instead";`. A path is shown without type parameters; `[check] "text"` in
/// its place shows the text.
macro_rules! chapter {
    ($title:literal: $($name:ident $coverage:ident $($path:path)? $([$check:expr] $shown:literal)? $(, $note:literal)?;)*) => {
        Chapter {
            title: $title,
            rows: vec![$(Row {
                name: stringify!($name),
                coverage: chapter!(@coverage $coverage),
                here: chapter!(@here $($path)? $([$check] $shown)?),
                note: concat!($($note)?),
            }),*],
        }
    };
    (@coverage yes) => { Coverage::Full };
    (@coverage partly) => { Coverage::Part };
    (@coverage no) => { Coverage::None };
    (@here) => { String::new() };
    // What is named must exist, or this does not compile.
    (@here $path:path) => {{ let _ = $path; without_parameters(stringify!($path)) }};
    (@here [$check:expr] $shown:literal) => {{ let _ = $check; $shown.to_owned() }};
}

/// All chapters.
pub(super) fn chapters() -> Vec<Chapter> {
    [array_object(), data(), elementwise(), functions(), extensions()].into_iter().flatten().collect()
}

fn array_object() -> Vec<Chapter> {
    vec![
        chapter! { "Array object: attributes":
            dtype yes [f64::DTYPE] "T::DTYPE", "a constant of the element type";
            device yes Array::<f64, Cpu>::backend;
            mT yes Array::<f64, Cpu>::matrix_transpose;
            ndim yes Array::<f64, Cpu>::ndim;
            shape yes Array::<f64, Cpu>::shape;
            size yes Array::<f64, Cpu>::len;
            T yes Array::<f64, Cpu>::matrix_transpose, "stacks of matrices are no error";
        },
        chapter! { "Array object: operators and methods":
            __add__ yes [<&Floats as Add<&Floats>>::add] "&a + &b";
            __radd__ yes [<f64 as Add<&Floats>>::add] "2.0 + &a";
            __iadd__ yes Array::<f64, Cpu>::add_assign;
            __sub__ yes [<&Floats as Sub<&Floats>>::sub] "&a - &b";
            __rsub__ yes [<f64 as Sub<&Floats>>::sub] "2.0 - &a";
            __isub__ yes Array::<f64, Cpu>::subtract_assign;
            __mul__ yes [<&Floats as Mul<&Floats>>::mul] "&a * &b";
            __rmul__ yes [<f64 as Mul<&Floats>>::mul] "2.0 * &a";
            __imul__ yes Array::<f64, Cpu>::multiply_assign;
            __truediv__ yes [<&Floats as Div<&Floats>>::div] "&a / &b";
            __rtruediv__ yes [<f64 as Div<&Floats>>::div] "2.0 / &a";
            __itruediv__ yes Array::<f64, Cpu>::divide_assign;
            __neg__ yes [<&Floats as Neg>::neg] "-&a";
            __pos__ yes [<Floats as Clone>::clone] "a.clone()";
            __abs__ yes Array::<f64, Cpu>::abs;
            __floordiv__ yes Array::<f64, Cpu>::floor_divide;
            __ifloordiv__ yes Array::<f64, Cpu>::floor_divide_assign;
            __rfloordiv__ yes Array::<f64, Cpu>::map::<ScalarWith<FloorDivide, f64>>, "with `ScalarWith`";
            __mod__ yes Array::<f64, Cpu>::remainder;
            __imod__ yes Array::<f64, Cpu>::remainder_assign;
            __rmod__ yes Array::<f64, Cpu>::map::<ScalarWith<Remainder, f64>>, "with `ScalarWith`";
            __pow__ yes Array::<f64, Cpu>::pow, "floating point";
            __ipow__ yes Array::<f64, Cpu>::pow_assign, "floating point";
            __rpow__ yes Array::<f64, Cpu>::map::<ScalarWith<Pow, f64>>, "with `ScalarWith`";
            __matmul__ yes Array::<f64, Cpu>::matmul;
            __imatmul__ no, "assign the product";
            __rmatmul__ no, "numbers have no matrix product";
            __invert__ partly Array::<i64, Cpu>::bitwise_invert, "integers; truth values have `logical_not`";
            __and__ partly Array::<i64, Cpu>::bitwise_and, "integers; truth values have `logical_and`";
            __or__ partly Array::<i64, Cpu>::bitwise_or, "integers; truth values have `logical_or`";
            __xor__ partly Array::<i64, Cpu>::bitwise_xor, "integers; truth values have `logical_xor`";
            __lshift__ yes Array::<i64, Cpu>::bitwise_left_shift;
            __rshift__ yes Array::<i64, Cpu>::bitwise_right_shift;
            __iand__ yes Array::<i64, Cpu>::bitwise_and_assign, "integers";
            __ior__ yes Array::<i64, Cpu>::bitwise_or_assign, "integers";
            __ixor__ yes Array::<i64, Cpu>::bitwise_xor_assign, "integers";
            __ilshift__ yes Array::<i64, Cpu>::bitwise_left_shift_assign;
            __irshift__ yes Array::<i64, Cpu>::bitwise_right_shift_assign;
            __rand__ yes Array::<i64, Cpu>::bitwise_and_scalar, "in either order";
            __ror__ yes Array::<i64, Cpu>::bitwise_or_scalar, "in either order";
            __rxor__ yes Array::<i64, Cpu>::bitwise_xor_scalar, "in either order";
            __rlshift__ yes Array::<i64, Cpu>::map::<ScalarWith<LeftShift, i64>>, "with `ScalarWith`";
            __rrshift__ yes Array::<i64, Cpu>::map::<ScalarWith<RightShift, i64>>, "with `ScalarWith`";
            __lt__ yes Array::<f64, Cpu>::less;
            __le__ yes Array::<f64, Cpu>::less_equal;
            __gt__ yes Array::<f64, Cpu>::greater;
            __ge__ yes Array::<f64, Cpu>::greater_equal;
            __eq__ yes Array::<f64, Cpu>::equal;
            __ne__ yes Array::<f64, Cpu>::not_equal;
            __getitem__ partly Array::<f64, Cpu>::slice, "integers, ranges with steps, new axes, ellipsis; \
                masks by `compress`, integer arrays along one axis by `take`";
            __setitem__ partly Array::<f64, Cpu>::assign, "integers, ranges with steps, new axes, ellipsis";
            __bool__ yes Array::<bool, Cpu>::item;
            __float__ yes Array::<f64, Cpu>::item;
            __int__ yes Array::<i64, Cpu>::item;
            __index__ yes Array::<i64, Cpu>::item;
            __complex__ no, "there are no complex numbers";
            __array_namespace__ yes Array::<f64, Cpu>::backend;
            __dlpack__ no, "`to_vec` and `to_ndarray` copy";
            __dlpack_device__ no;
            to_device no, "`to_vec` there, `from_vec` here";
        },
    ]
}

fn data() -> Vec<Chapter> {
    vec![
        chapter! { "Constants":
            e yes consts::E;
            inf yes f64::INFINITY;
            nan yes f64::NAN;
            newaxis yes NewAxis;
            pi yes consts::PI;
        },
        chapter! { "Data types":
            bool yes DType::Bool;
            int8 no;
            int16 no;
            int32 yes DType::Int32;
            int64 yes DType::Int64;
            uint8 yes DType::UInt8;
            uint16 no;
            uint32 no;
            uint64 no;
            float32 yes DType::Float32;
            float64 yes DType::Float64;
            complex64 no;
            complex128 no;
        },
        chapter! { "Data type functions":
            astype yes Array::<f64, Cpu>::astype::<f32>;
            can_cast yes [<f64 as array_api::Cast<f32>>::cast] "T: Cast<U>", "a bound, checked when compiling";
            finfo yes f64::EPSILON, "constants of Rust's types";
            iinfo yes i64::MAX, "constants of Rust's types";
            isdtype yes [<f64 as array_api::Float>::to_f64] "T: Float", "bounds: `Numeric`, `Float`, `Integer`";
            result_type no, "element types do not mix";
        },
        chapter! { "Creation functions":
            arange yes Array::<f64, Cpu>::arange;
            asarray yes Array::<f64, Cpu>::from_vec, "`from_slice` and `from_ndarray` too";
            empty yes Array::<f64, Cpu>::empty;
            empty_like no, "`empty` with the shape of the other array";
            eye yes Array::<f64, Cpu>::eye;
            from_dlpack no, "`from_vec` copies";
            full yes Array::<f64, Cpu>::full;
            full_like yes Array::<f64, Cpu>::full_like;
            linspace yes Array::<f64, Cpu>::linspace;
            meshgrid partly Array::<f64, Cpu>::meshgrid, "`indexing=\"ij\"` only";
            ones yes Array::<f64, Cpu>::ones;
            ones_like yes Array::<f64, Cpu>::ones_like;
            tril yes Array::<f64, Cpu>::tril;
            triu yes Array::<f64, Cpu>::triu;
            zeros yes Array::<f64, Cpu>::zeros;
            zeros_like yes Array::<f64, Cpu>::zeros_like;
        },
    ]
}

fn elementwise() -> Vec<Chapter> {
    vec![chapter! { "Element-wise functions":
        abs yes Array::<f64, Cpu>::abs;
        acos yes Array::<f64, Cpu>::acos;
        acosh yes Array::<f64, Cpu>::acosh;
        add yes Array::<f64, Cpu>::add;
        asin yes Array::<f64, Cpu>::asin;
        asinh yes Array::<f64, Cpu>::asinh;
        atan yes Array::<f64, Cpu>::atan;
        atan2 yes Array::<f64, Cpu>::atan2;
        atanh yes Array::<f64, Cpu>::atanh;
        bitwise_and partly Array::<i64, Cpu>::bitwise_and, "integers; truth values have `logical_and`";
        bitwise_left_shift yes Array::<i64, Cpu>::bitwise_left_shift;
        bitwise_invert partly Array::<i64, Cpu>::bitwise_invert, "integers; truth values have `logical_not`";
        bitwise_or partly Array::<i64, Cpu>::bitwise_or, "integers; truth values have `logical_or`";
        bitwise_right_shift yes Array::<i64, Cpu>::bitwise_right_shift;
        bitwise_xor partly Array::<i64, Cpu>::bitwise_xor, "integers; truth values have `logical_xor`";
        ceil partly Array::<f64, Cpu>::ceil, "floating point; integers need none";
        clip partly Array::<f64, Cpu>::clip, "bounds are numbers; `maximum` and `minimum` take arrays";
        conj no, "there are no complex numbers";
        copysign yes Array::<f64, Cpu>::copysign;
        cos yes Array::<f64, Cpu>::cos;
        cosh yes Array::<f64, Cpu>::cosh;
        divide yes Array::<f64, Cpu>::divide;
        equal yes Array::<f64, Cpu>::equal;
        exp yes Array::<f64, Cpu>::exp;
        expm1 yes Array::<f64, Cpu>::expm1;
        floor partly Array::<f64, Cpu>::floor, "floating point; integers need none";
        floor_divide yes Array::<f64, Cpu>::floor_divide;
        greater yes Array::<f64, Cpu>::greater;
        greater_equal yes Array::<f64, Cpu>::greater_equal;
        hypot yes Array::<f64, Cpu>::hypot;
        imag no, "there are no complex numbers";
        isfinite partly Array::<f64, Cpu>::isfinite, "floating point; integers always are";
        isinf partly Array::<f64, Cpu>::isinf, "floating point; integers never are";
        isnan partly Array::<f64, Cpu>::isnan, "floating point; integers never are";
        less yes Array::<f64, Cpu>::less;
        less_equal yes Array::<f64, Cpu>::less_equal;
        log yes Array::<f64, Cpu>::log;
        log1p yes Array::<f64, Cpu>::log1p;
        log2 yes Array::<f64, Cpu>::log2;
        log10 yes Array::<f64, Cpu>::log10;
        logaddexp yes Array::<f64, Cpu>::logaddexp;
        logical_and yes Array::<bool, Cpu>::logical_and;
        logical_not yes Array::<bool, Cpu>::logical_not;
        logical_or yes Array::<bool, Cpu>::logical_or;
        logical_xor yes Array::<bool, Cpu>::logical_xor;
        maximum yes Array::<f64, Cpu>::maximum;
        minimum yes Array::<f64, Cpu>::minimum;
        multiply yes Array::<f64, Cpu>::multiply;
        negative yes Array::<f64, Cpu>::negative;
        nextafter yes Array::<f64, Cpu>::nextafter;
        not_equal yes Array::<f64, Cpu>::not_equal;
        positive yes Array::<f64, Cpu>::copy;
        pow partly Array::<f64, Cpu>::pow, "floating point";
        real no, "there are no complex numbers";
        reciprocal yes Array::<f64, Cpu>::reciprocal;
        remainder yes Array::<f64, Cpu>::remainder;
        round partly Array::<f64, Cpu>::round, "floating point; integers need none";
        sign yes Array::<f64, Cpu>::sign;
        signbit yes Array::<f64, Cpu>::signbit;
        sin yes Array::<f64, Cpu>::sin;
        sinh yes Array::<f64, Cpu>::sinh;
        square yes Array::<f64, Cpu>::square;
        sqrt yes Array::<f64, Cpu>::sqrt;
        subtract yes Array::<f64, Cpu>::subtract;
        tan yes Array::<f64, Cpu>::tan;
        tanh yes Array::<f64, Cpu>::tanh;
        trunc partly Array::<f64, Cpu>::trunc, "floating point; integers need none";
    }]
}

fn functions() -> Vec<Chapter> {
    vec![
        chapter! { "Indexing functions":
            take yes Array::<f64, Cpu>::take;
            take_along_axis no;
        },
        chapter! { "Inspection":
            __array_namespace_info__ partly Device::name, "the name of the backend";
        },
        chapter! { "Linear algebra functions":
            matmul yes Array::<f64, Cpu>::matmul, "floating point";
            matrix_transpose yes Array::<f64, Cpu>::matrix_transpose;
            tensordot partly Array::<f64, Cpu>::tensordot, "a number of axes; floating point";
            vecdot partly Array::<f64, Cpu>::vecdot, "along the last axis; floating point";
        },
        chapter! { "Manipulation functions":
            broadcast_arrays yes Array::<f64, Cpu>::broadcast_arrays;
            broadcast_shapes partly layout::broadcast_shapes, "two shapes";
            broadcast_to yes Array::<f64, Cpu>::broadcast_to;
            concat partly Array::<f64, Cpu>::concat, "`axis=None` is `flatten` before";
            expand_dims partly Array::<f64, Cpu>::expand_dims, "one axis";
            flip yes Array::<f64, Cpu>::flip;
            moveaxis partly Array::<f64, Cpu>::moveaxis, "one axis";
            permute_dims partly Array::<f64, Cpu>::permute_dims, "axes are not counted from the end";
            repeat partly Array::<f64, Cpu>::repeat, "one number, along one axis";
            reshape partly Array::<f64, Cpu>::reshape, "no length is found out for -1";
            roll partly Array::<f64, Cpu>::roll, "one axis";
            squeeze yes Array::<f64, Cpu>::squeeze;
            stack yes Array::<f64, Cpu>::stack;
            tile yes Array::<f64, Cpu>::tile;
            unstack yes Array::<f64, Cpu>::unstack;
        },
        chapter! { "Searching functions":
            argmax partly Array::<f64, Cpu>::argmax, "along one axis, which goes away";
            argmin partly Array::<f64, Cpu>::argmin, "along one axis, which goes away";
            count_nonzero yes Array::<f64, Cpu>::count_nonzero;
            nonzero partly Array::<bool, Cpu>::nonzero, "truth values; `not_equal_scalar(0)` makes them";
            searchsorted no;
            where yes Array::<bool, Cpu>::where_::<f64>;
        },
        chapter! { "Set functions":
            isin no;
            unique_all no;
            unique_counts no;
            unique_inverse no;
            unique_values no;
        },
        chapter! { "Sorting functions":
            argsort yes Array::<f64, Cpu>::argsort, "always stable";
            sort yes Array::<f64, Cpu>::sort, "always stable";
        },
        chapter! { "Statistical functions":
            cumulative_prod partly Array::<f64, Cpu>::cumulative_prod, "no initial value in front";
            cumulative_sum partly Array::<f64, Cpu>::cumulative_sum, "no initial value in front";
            max yes Array::<f64, Cpu>::max;
            mean yes Array::<f64, Cpu>::mean;
            min yes Array::<f64, Cpu>::min;
            prod yes Array::<f64, Cpu>::prod;
            std yes Array::<f64, Cpu>::std;
            sum yes Array::<f64, Cpu>::sum;
            var yes Array::<f64, Cpu>::var;
        },
        chapter! { "Utility functions":
            all yes Array::<f64, Cpu>::all;
            any yes Array::<f64, Cpu>::any;
            diff partly Array::<f64, Cpu>::diff, "nothing in front or behind; `concat` puts it there";
        },
        chapter! { "Version":
            __array_api_version__ no, "this page says it";
        },
    ]
}

fn extensions() -> Vec<Chapter> {
    vec![
        chapter! { "Extension: linear algebra (linalg)":
            cholesky partly linalg::cholesky::<f64, Cpu>, "the lower factor";
            cross no;
            det yes linalg::det::<f64, Cpu>;
            diagonal yes Array::<f64, Cpu>::diagonal;
            eig no;
            eigh yes linalg::eigh::<f64, Cpu>, "a pair";
            eigvals no;
            eigvalsh yes linalg::eigvalsh::<f64, Cpu>;
            inv yes linalg::inv::<f64, Cpu>;
            matmul yes Array::<f64, Cpu>::matmul, "floating point";
            matrix_norm no;
            matrix_power no;
            matrix_rank no;
            matrix_transpose yes Array::<f64, Cpu>::matrix_transpose;
            outer yes Array::<f64, Cpu>::tensordot, "over 0 axes";
            pinv no;
            qr no;
            slogdet no;
            solve yes linalg::solve::<f64, Cpu>;
            svd no;
            svdvals no;
            tensordot partly Array::<f64, Cpu>::tensordot, "a number of axes; floating point";
            trace partly linalg::trace::<f64, Cpu>, "the main diagonal; floating point";
            vecdot partly Array::<f64, Cpu>::vecdot, "along the last axis; floating point";
            vector_norm no;
        },
        chapter! { "Extension: Fourier transforms (fft)":
            fft no;
            ifft no;
            fftn no;
            ifftn no;
            rfft no;
            irfft no;
            rfftn no;
            irfftn no;
            hfft no;
            ihfft no;
            fftfreq no;
            rfftfreq no;
            fftshift no;
            ifftshift no;
        },
    ]
}
