// Package audit describes what the audit log records: one Event for each mutation, each
// denied request and each read of secret values.
package audit
