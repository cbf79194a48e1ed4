// Package condition is what commands wait for games to be, and which games are that.
//
//	condition.go  Condition: parsed from texts such as status=running
//	tracker.go    Tracker: the games that do not fulfill the conditions yet
package condition
