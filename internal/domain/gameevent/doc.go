// Package gameevent derives what has happened to a game from two versions of its record.
//
//	event.go   Event and its types
//	derive.go  Derive, a pure function
//	text.go    the description of an event
package gameevent
