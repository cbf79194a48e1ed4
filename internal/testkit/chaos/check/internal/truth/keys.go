package truth

import (
	"net/url"
	"strconv"
	"strings"
)

// Family is the kind of a key.
type Family string

// The families that rules read. All other keys have the family Other.
const (
	RecordKey Family = "record"
	IndexKey  Family = "index"
	LedgerKey Family = "ledger"
	IntentKey Family = "intent"
	NodeKey   Family = "node"
	Other     Family = "other"
)

// Slots is the bound of the ring of ledger entries of one game.
const Slots = 32

// Key is a parsed key.
type Key struct {
	Family Family
	Game   string
	Status string // of an IndexKey
	Slot   int64  // of a LedgerKey
	Fault  string // why the key has none of the documented forms; empty if it has one
}

// ParseKey parses a key of the store with the prefix.
func ParseKey(prefix, key string) Key {
	rest, isOfStore := strings.CutPrefix(key, strings.TrimRight(prefix, "/")+"/")
	family, rest, _ := strings.Cut(rest, "/")
	if !isOfStore {
		return Key{Family: Other}
	}
	switch family {
	case "runtimes":
		return keyOfGame(Key{Family: RecordKey}, rest)
	case "operations":
		return keyOfGame(Key{Family: IntentKey}, rest)
	case "runtimes-by-status":
		status, segment, _ := strings.Cut(rest, "/")
		return keyOfGame(Key{Family: IndexKey, Status: status}, segment)
	case "transitions":
		segment, word, _ := strings.Cut(rest, "/")
		parsed := keyOfGame(Key{Family: LedgerKey}, segment)
		slot, err := strconv.ParseInt(word, 10, 64)
		if err != nil || slot < 0 || slot >= Slots || len(word) != 2 {
			parsed.Fault = "the slot " + strconv.Quote(word) + " is not one of 00 to 31"
		}
		parsed.Slot = slot
		return parsed
	case "nodes":
		return Key{Family: NodeKey}
	default:
		return Key{Family: Other}
	}
}

// keyOfGame completes a key by the segment of its game, which is percent-encoded.
func keyOfGame(key Key, segment string) Key {
	game, err := url.PathUnescape(segment)
	switch {
	case err != nil || url.PathEscape(game) != segment:
		key.Fault = "the segment " + strconv.Quote(segment) + " is not the escape of a game id"
	case game == "":
		key.Fault = "the key names no game"
	}
	key.Game = game
	return key
}

// NodeKeyOf returns the presence key of a node, named "region/node".
func NodeKeyOf(prefix, node string) string {
	region, name, _ := strings.Cut(node, "/")
	return strings.TrimRight(prefix, "/") + "/nodes/" + url.PathEscape(region) + "/" + url.PathEscape(name)
}
