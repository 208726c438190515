// Package hostile is what the fuzz targets of all rooms share: how much memory a decoder took for the bytes that it was
// given, held to a ceiling. It is for tests alone.
package hostile
