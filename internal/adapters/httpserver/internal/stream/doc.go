// Package stream writes streams of JSON documents as server-sent events or as NDJSON, one
// document a line.
//
//	format.go  the two formats, and the choice between them by the Accept header
//	writer.go  one open stream
//	cache.go   encoded events that many streams share
package stream
