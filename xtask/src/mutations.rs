//! Faults for the mutation check: lines of the CUDA backend, and how they are wrong.

use anyhow::ensure;

/// A fault.
#[derive(Debug)]
pub struct Mutation {
    /// What is wrong.
    pub name: &'static str,
    /// The file, relative to the workspace.
    pub file: &'static str,
    /// What is there: whole lines or parts of one, found once in the file.
    pub is: &'static str,
    /// What is there instead.
    pub becomes: &'static str,
    /// Whether the names of compiled kernels in the cache are what is wrong.
    pub names_kernels: bool,
}

impl Mutation {
    /// A file's text with the fault in it.
    pub fn apply(&self, text: &str) -> anyhow::Result<String> {
        let Self { name, file, is, becomes, .. } = self;
        let count = text.matches(is).count();
        ensure!(
            count == 1,
            "the mutation `{name}` is for a text that is found {count} times in {file}, not once: its table, \
             xtask/src/mutations.rs, has to follow the code"
        );
        Ok(text.replacen(is, becomes, 1))
    }
}

const fn mutation(
    name: &'static str,
    file: &'static str,
    is: &'static str,
    becomes: &'static str,
) -> Mutation {
    Mutation { name, file, is, becomes, names_kernels: false }
}

/// All of them.
pub const MUTATIONS: [Mutation; 21] = [
    mutation(
        "wrong stride in finding an element",
        "array-api/src/cuda/prelude.cuh",
        "at += (i - rest * length) * layout.strides[axis];",
        "at += (i - rest * length) * layout.strides[axis - 1];",
    ),
    mutation(
        "integer cast without saturation",
        "array-api/src/cuda/prelude.cuh",
        "if (x >= (T)highest<U>()) return highest<U>();",
        "",
    ),
    mutation(
        "one thread too many in filling",
        "array-api/src/cuda/elementwise.rs",
        "if (i < n) out[i] = value;",
        "if (i <= n) out[i] = value;",
    ),
    mutation(
        "no wait for data that come up",
        "array-api/src/cuda/driver/memory.rs",
        "if let Some(event) = arriving.as_ref() {",
        "if let Some(event) = arriving.as_ref().filter(|_| false) {",
    ),
    mutation(
        "page-locked memory used again too early",
        "array-api/src/cuda/driver/memory.rs",
        "self.busy.as_ref().is_none_or(|event| event.has_happened())",
        "true",
    ),
    mutation(
        "memory freed while kernels use it",
        "array-api/src/cuda/driver/memory.rs",
        "result::free_async(self.address, self.context.compute)",
        "result::free_async(self.address, self.context.transfer)",
    ),
    mutation(
        "data come up over memory in use, without pools",
        "array-api/src/cuda/driver.rs",
        "let stream = if self.pool.is_some() { self.transfer } else { self.compute };",
        "let stream = self.transfer;",
    ),
    mutation(
        "memory never freed",
        "array-api/src/cuda/driver/memory.rs",
        "let _ = unsafe { result::free_async(self.address, self.context.compute) };",
        "",
    ),
    Mutation {
        names_kernels: true,
        ..mutation(
            "kernels cached without regard to their source",
            "array-api/src/cuda/compile.rs",
            "[&self.architecture, &self.version, PRELUDE, &source.text]",
            "[&self.architecture, &self.version, PRELUDE]",
        )
    },
    mutation(
        "sums that do not begin with zero",
        "array-api/src/cuda/sparse.rs",
        "CudaBuffer::<f64>::zeros(&cuda.0, chunks * elements)",
        "CudaBuffer::<f64>::unspecified(&cuda.0, chunks * elements)",
    ),
    mutation(
        "parts of sums that depend on the batch",
        "array-api/src/cuda/sparse.rs",
        "chunks(a.rows.len(), n, elements)",
        "chunks(a.rows.len(), n * batch, elements)",
    ),
    mutation(
        "first column of a band left out",
        "array-api/src/cuda/sparse.rs",
        "if (column < first || column >= first + width) continue;",
        "if (column <= first || column >= first + width) continue;",
    ),
    mutation(
        "indices exchanged in a bilinear form",
        "array-api/src/cuda/sparse.rs",
        "const T *from = m + axes.offset + a.indices[e] * axes.batch;",
        "const T *from = m + axes.offset + a.indices[e] * axes.row;",
    ),
    mutation(
        "missing barrier in a reduction",
        "array-api/src/cuda/statistical/reduce.rs",
        "        __syncthreads();\n        if (lane < half)",
        "        if (lane < half)",
    ),
    mutation(
        "NaN sorted to the front",
        "array-api/src/cuda/sorting.rs",
        "return a < b || (is_nan(b) && !is_nan(a));",
        "return a < b || (is_nan(a) && !is_nan(b));",
    ),
    mutation(
        "indices not checked against the length",
        "array-api/src/cuda/indexing.rs",
        "&& !(valid(low) && valid(high))",
        "&& !valid(low)",
    ),
    mutation(
        "Horner scheme without its last step",
        "array-api/src/cuda/spline.rs",
        "for (int p = TERMS - 2; p >= 0; --p) value = fma(value, s, c[p]);",
        "for (int p = TERMS - 2; p > 0; --p) value = fma(value, s, c[p]);",
    ),
    mutation(
        "wrong transposition of a factor of a product",
        "array-api/src/cuda/linalg.rs",
        "transpose_a: !b.form.by_rows,",
        "transpose_a: b.form.by_rows,",
    ),
    mutation(
        "wrong leading dimension of a product",
        "array-api/src/cuda/linalg.rs",
        "leading: n, step: m * n }",
        "leading: m, step: m * n }",
    ),
    mutation(
        "upper triangle for the lower one",
        "array-api/src/cuda/linalg.rs",
        "upper: (triangle == Triangle::Upper) != a.form.by_rows,",
        "upper: (triangle == Triangle::Upper) == a.form.by_rows,",
    ),
    mutation(
        "eigenvectors of the other triangle",
        "array-api/src/cuda/blas.rs",
        "handle, mode, UPPER, n, a as *mut _",
        "handle, mode, cusolver::cublasFillMode_t::CUBLAS_FILL_MODE_LOWER, n, a as *mut _",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_mutation_fits_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for mutation in MUTATIONS {
            let text = std::fs::read_to_string(root.join(mutation.file)).unwrap();
            let mutated = mutation.apply(&text).unwrap();
            assert_ne!(mutated, text, "{}", mutation.name);
        }
    }

    #[test]
    fn names_differ_and_can_name_files() {
        let names: BTreeSet<_> = MUTATIONS.iter().map(|mutation| mutation.name).collect();
        assert_eq!(names.len(), MUTATIONS.len());
        assert!(names.iter().all(|name| !name.contains(['/', '|'])));
    }

    #[test]
    fn a_text_that_is_not_there_once_is_an_error() {
        let fault = mutation("wrong bound", "a.rs", "i < n", "i <= n");
        assert_eq!(fault.apply("if i < n {}").unwrap(), "if i <= n {}");
        for (text, count) in [("if i != n {}", 0), ("i < n && i < n", 2)] {
            let error = fault.apply(text).unwrap_err().to_string();
            assert!(
                error.contains("wrong bound") && error.contains(&format!("{count} times in a.rs")),
                "{error}"
            );
        }
    }
}
