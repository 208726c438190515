// Package npy reads NumPy's .npy files as a dataset.Source: a matrix of n rows and d columns (or a vector, d = 1)
// in C order, of floats or integers. Its columns are called x0, x1, …
//
// The header is a Python literal; only the three keys that NumPy writes are understood, and its shape must fit the
// file's size before anything is allocated. Fortran order, objects, structured and complex types are refused with
// the call that writes the array in a form that can be read.
//
// What it does not do: .npz archives. The walk goes on in package dataset, which joins files into one table.
package npy
