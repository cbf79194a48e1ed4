// Package progress prints the progress of operations and benchmarks: on a terminal on
// one line that it rewrites, otherwise on one line per step.
package progress

// clearLine returns the cursor to the start of the line and erases the line.
const clearLine = "\r\x1b[K"
