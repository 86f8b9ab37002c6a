//! Where elements are: indices, and positions in row-major order.

/// The shape of the elementwise combination of two shapes, aligned at their ends.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let ndim = a.len().max(b.len());
    let mut shape = vec![1; ndim];
    for (i, &n) in a.iter().rev().enumerate() {
        shape[ndim - 1 - i] = n;
    }
    for (i, &n) in b.iter().rev().enumerate() {
        let length = &mut shape[ndim - 1 - i];
        if *length == 1 {
            *length = n;
        } else if n != 1 && n != *length {
            return None;
        }
    }
    Some(shape)
}

/// The next index in row-major order; after the last one comes the first.
pub fn next(index: &mut [usize], shape: &[usize]) {
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < n {
            return;
        }
        *i = 0;
    }
}

/// How far apart neighbours along each axis are.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The positions that belong to the indices of a shape, neighbours along each axis being `strides` apart.
fn positions(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    let count = shape.iter().product();
    let position = |index: &[usize]| index.iter().zip(strides).map(|(&i, &stride)| i * stride).sum();
    (0..count)
        .map(|_| {
            let at = position(&index);
            next(&mut index, shape);
            at
        })
        .collect()
}

/// For each index of `shape`, where the element is in an array of shape `own` that is broadcast to it.
pub fn broadcast_positions(own: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut apart = vec![0; shape.len() - own.len()];
    apart.extend(own.iter().zip(strides(own)).map(|(&n, stride)| if n == 1 { 0 } else { stride }));
    positions(shape, &apart)
}

/// The elements that differ in `axes` only, one group after the other, and how many a group has.
pub fn groups(shape: &[usize], axes: &[usize]) -> (Vec<usize>, usize) {
    let apart = strides(shape);
    let of = |inside: bool| {
        let axes = (0..shape.len()).filter(|axis| axes.contains(axis) == inside);
        let (lengths, apart): (Vec<usize>, Vec<usize>) = axes.map(|axis| (shape[axis], apart[axis])).unzip();
        positions(&lengths, &apart)
    };
    let (starts, inside) = (of(false), of(true));
    let all = starts.iter().flat_map(|start| inside.iter().map(move |at| start + at)).collect();
    (all, inside.len())
}

/// Where each number from 0 stands in a list that has each of them once.
pub fn inverse(list: &[usize]) -> Vec<usize> {
    let mut places = vec![0; list.len()];
    for (place, &number) in list.iter().enumerate() {
        places[number] = place;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_combine_by_the_rules_of_the_standard() {
        assert_eq!(broadcast_shape(&[8, 1, 6, 1], &[7, 1, 5]), Some(vec![8, 7, 6, 5]));
        assert_eq!(broadcast_shape(&[1], &[0]), Some(vec![0]));
        assert_eq!(broadcast_shape(&[2, 1], &[8, 4, 3]), None);
    }

    #[test]
    fn positions_count_the_last_axis_first() {
        assert_eq!(broadcast_positions(&[2, 1], &[3, 2, 2]), [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
        assert_eq!(broadcast_positions(&[], &[2]), [0, 0]);
        assert_eq!(groups(&[2, 3], &[0]), (vec![0, 3, 1, 4, 2, 5], 2));
        assert_eq!(groups(&[2, 3], &[0, 1]), ((0..6).collect(), 6));
        assert_eq!(groups(&[2, 3], &[]), ((0..6).collect(), 1));
        assert_eq!(groups(&[2, 0], &[1]), (vec![], 0));
        assert_eq!(inverse(&[2, 0, 1]), [1, 2, 0]);
    }
}
