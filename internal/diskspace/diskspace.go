// Package diskspace measures the free space of file systems and allocates space for
// files before it is needed.
package diskspace

// Usage is the space of a file system, in bytes. Free is the part that this process may
// use.
type Usage struct{ Free, Total uint64 }
