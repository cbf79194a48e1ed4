// Package output prints the results of commands in the format that -o selects: a table
// or text for users, JSON or YAML for programs. Each file prints one kind of result.
package output
