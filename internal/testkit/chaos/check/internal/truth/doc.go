// Package truth replays the changes of etcd in a recording. It parses keys and values by the
// documented layout and shares no code with the store.
//
//	keys.go      parses a key
//	record.go    parses a record and a ledger entry
//	fields.go    compares two forms of a record
//	game.go      Version and Game: the history of one game
//	history.go   Build: the history of all games, and the presence keys
//	timeline.go  Timeline: which revisions existed at a time of the recording
package truth
