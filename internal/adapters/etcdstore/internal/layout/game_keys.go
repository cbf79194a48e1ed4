package layout

import (
	"strconv"

	"galaxy/rtmanager/internal/domain/runtime"
)

// GameKeys are the keys that a write of a game's record names, made in one allocation: every
// write needs them. They must not be changed.
type GameKeys struct {
	Record []byte
	// StatusIndex are the index keys, in the order of runtime.Statuses.
	StatusIndex [statusCount][]byte
	// Ledger is the prefix of the ledger entries, and LedgerEnd the first key after them.
	Ledger, LedgerEnd []byte
}

// statusCount is the number of runtime.Statuses.
const statusCount = 3

// OfGame returns the keys of the game.
func (k Keys) OfGame(gameID string) (keys GameKeys) {
	segment := EscapeGameID(gameID)
	statuses := runtime.Statuses()
	const families = len(recordFamily) + 2*len(ledgerFamily+"/") + statusCount*len(statusIndexFamily+"removed/")
	buffer := make([]byte, 0, families+(3+statusCount)*(len(k.prefix)+len(segment)))
	next := func(parts ...string) []byte {
		start := len(buffer)
		for _, part := range parts {
			buffer = append(buffer, part...)
		}
		return buffer[start:len(buffer):len(buffer)]
	}
	keys.Record = next(k.prefix, recordFamily, segment)
	keys.Ledger = next(k.prefix, ledgerFamily, segment, "/")
	keys.LedgerEnd = next(k.prefix, ledgerFamily, segment, "0") // the character after the slash
	for i, status := range statuses {
		keys.StatusIndex[i] = next(k.prefix, statusIndexFamily, string(status), "/", segment)
	}
	return keys
}

// StatusIndexKey returns the index key under the status, nil for an unknown one.
func (g *GameKeys) StatusIndexKey(status runtime.Status) []byte {
	for i, candidate := range runtime.Statuses() {
		if candidate == status {
			return g.StatusIndex[i]
		}
	}
	return nil
}

// LedgerEntry returns the key of the ledger entry with the number.
func (g *GameKeys) LedgerEntry(seq int64) []byte {
	slot := seq % LedgerSlots
	key := make([]byte, 0, len(g.Ledger)+2)
	key = append(key, g.Ledger...)
	if slot < 10 {
		key = append(key, '0')
	}
	return strconv.AppendInt(key, slot, 10)
}
