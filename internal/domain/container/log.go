package container

import "time"

// MaxLogLineBytes is the most text of one LogLine; an engine splits longer lines.
const MaxLogLineBytes = 64 << 10

// LogOptions selects lines of the log of a container.
type LogOptions struct {
	// Tail selects the last lines only: at most this number. Negative means all lines.
	Tail int
	// Since selects the lines that the engine received at this time of its clock or later. Zero
	// means all lines.
	Since time.Time
	// IsPrevious selects the lines that the container wrote before its latest start.
	IsPrevious bool
	// IsFollowing waits for further lines until the container has exited. It has no effect with
	// IsPrevious.
	IsFollowing bool
}

// LogLine is one line that a container wrote.
type LogLine struct {
	// Time is when the engine received the line, by its clock; zero if it is not known.
	Time time.Time
	// Text is valid UTF-8 and has no line feed.
	Text string
}
