// Package drift detects where record, intent and engine disagree and proposes
// what to do about it. It reads nothing, writes nothing and takes the time from
// its input.
package drift
