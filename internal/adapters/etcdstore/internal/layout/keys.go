package layout

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/etcd"
)

// LedgerSlots is how many ledger entries a game keeps. It is part of the layout: entry
// seq has slot seq modulo LedgerSlots. A game rarely gains more entries than that while
// one ambiguous write is resolved; if it does, the history of the record's key still
// contains the write.
const LedgerSlots = 32

// Keys builds and parses every key; no other package knows what a key looks like. Each
// family is a prefix that ends in a slash, so that no family contains another.
type Keys struct{ prefix string }

// The families that a write of a record names.
const (
	recordFamily      = "/runtimes/"
	statusIndexFamily = "/runtimes-by-status/"
	ledgerFamily      = "/transitions/"
)

// NewKeys returns the keys below the prefix.
func NewKeys(prefix string) Keys { return Keys{prefix: etcd.TrimPrefix(prefix)} }

// Records returns the prefix of all records.
func (k Keys) Records() string { return k.prefix + recordFamily }

// StatusIndex returns the prefix of all status index keys.
func (k Keys) StatusIndex() string { return k.prefix + statusIndexFamily }

// Ledgers returns the prefix of all ledger entries.
func (k Keys) Ledgers() string { return k.prefix + ledgerFamily }

// Intents returns the prefix of all intents.
func (k Keys) Intents() string { return k.prefix + "/operations/" }

// OperationIndex returns the prefix of the index of operations.
func (k Keys) OperationIndex() string { return k.prefix + "/operations-by-node/" }

// OperationIDs returns the prefix of the index of operation ids.
func (k Keys) OperationIDs() string { return k.prefix + "/operations-by-id/" }

// Schema returns the key of the layout version and the store's identity.
func (k Keys) Schema() string { return k.prefix + "/meta/schema" }

// DeletionEpochs returns the prefix of all deletion epochs.
func (k Keys) DeletionEpochs() string { return k.prefix + "/meta/deletion-epochs/" }

// families returns the names of all families below a prefix, including those of the nodes.
func families() []string {
	return []string{"runtimes", "runtimes-by-status", "transitions", "operations", "operations-by-node", "operations-by-id", "meta", "nodes", "known-nodes", "leaders", "reservations", "node-settings", "rollouts", "rollout-games", "access", "access-uses", "secrets"}
}

// EnclosingSchemas returns the schema keys of the stores in whose families these keys would
// be: those of each prefix above that is followed by the name of a family.
func (k Keys) EnclosingSchemas() (schemas []string) {
	segments := strings.Split(k.prefix, "/")
	for i, segment := range segments {
		if slices.Contains(families(), segment) {
			schemas = append(schemas, NewKeys(strings.Join(segments[:i], "/")).Schema())
		}
	}
	return schemas
}

// NestedSchemas returns the schema keys of the stores that would be in a family of this one.
func (k Keys) NestedSchemas() (schemas []string) {
	for _, family := range families() {
		schemas = append(schemas, NewKeys(k.prefix+"/"+family).Schema())
	}
	return schemas
}

// Record returns the key of the game's record.
func (k Keys) Record(gameID string) string { return k.Records() + EscapeGameID(gameID) }

// StatusIndexOf returns the prefix of the index keys under the status.
func (k Keys) StatusIndexOf(status runtime.Status) string {
	return k.StatusIndex() + string(status) + "/"
}

// StatusIndexKey returns the index key of a game with the status.
func (k Keys) StatusIndexKey(status runtime.Status, gameID string) string {
	return k.StatusIndexOf(status) + EscapeGameID(gameID)
}

// LedgerOf returns the prefix of the game's ledger entries.
func (k Keys) LedgerOf(gameID string) string { return k.Ledgers() + EscapeGameID(gameID) + "/" }

// LedgerEntry returns the key of the game's ledger entry with the number.
func (k Keys) LedgerEntry(gameID string, seq int64) string {
	return k.LedgerOf(gameID) + fmt.Sprintf("%02d", seq%LedgerSlots)
}

// Intent returns the key of the game's intent.
func (k Keys) Intent(gameID string) string { return k.Intents() + EscapeGameID(gameID) }

// OperationIndexOf returns the prefix of the operations that the node carries out, or any
// node of the region if node is empty, and any region if region is empty.
func (k Keys) OperationIndexOf(region, node string) string {
	if region == "" {
		return k.OperationIndex()
	}
	family := k.OperationIndex() + etcd.EscapeSegment(region) + "/"
	if node != "" {
		family += etcd.EscapeSegment(node) + "/"
	}
	return family
}

// OperationIndexKey returns the index key of the game's operation on the node.
func (k Keys) OperationIndexKey(region, node, gameID string) string {
	return k.OperationIndex() + etcd.EscapeSegment(region) + "/" + etcd.EscapeSegment(node) + "/" + EscapeGameID(gameID)
}

// OperationIDOf returns the prefix of the games that have an operation with the id.
func (k Keys) OperationIDOf(operationID string) string {
	return k.OperationIDs() + etcd.EscapeSegment(operationID) + "/"
}

// OperationIDKey returns the key of one of these games.
func (k Keys) OperationIDKey(operationID, gameID string) string {
	return k.OperationIDOf(operationID) + EscapeGameID(gameID)
}

// DeletionEpoch returns the key that every deletion of the game writes. Its last segment is
// the first byte of the SHA-256 of the game id, so there are at most 256 such keys, each for
// many games.
func (k Keys) DeletionEpoch(gameID string) string {
	return k.DeletionEpochs() + fmt.Sprintf("%02x", sha256.Sum256([]byte(gameID))[0])
}

// IsDeletionEpoch reports whether DeletionEpoch returns the key for any game.
func (k Keys) IsDeletionEpoch(key string) bool {
	word, found := strings.CutPrefix(key, k.DeletionEpochs())
	bucket, err := strconv.ParseUint(word, 16, 8)
	return found && err == nil && fmt.Sprintf("%02x", bucket) == word
}

// GameSecret returns the key of the secret that belongs to the game.
func (k Keys) GameSecret(gameID string) string {
	return etcd.SecretKey(k.prefix, secret.OfGame(gameID))
}

// GameOfRecord returns the game id that a record's key was made from.
func (k Keys) GameOfRecord(key string) (string, error) {
	return UnescapeGameID(strings.TrimPrefix(key, k.Records()))
}

// GameOfIntent returns the game id that an intent's key was made from.
func (k Keys) GameOfIntent(key string) (string, error) {
	return UnescapeGameID(strings.TrimPrefix(key, k.Intents()))
}

// GameOfOperationIndex returns the game id that a key of the index of operations was made
// from.
func (k Keys) GameOfOperationIndex(key string) (string, error) {
	segments := strings.Split(strings.TrimPrefix(key, k.OperationIndex()), "/")
	if len(segments) != 3 {
		return "", fmt.Errorf("%q is not a region, a node and a game", strings.Join(segments, "/"))
	}
	return UnescapeGameID(segments[2])
}

// GameOfOperationID returns the game id that a key of the index of operation ids was made from.
func (k Keys) GameOfOperationID(key string) (string, error) {
	segments := strings.Split(strings.TrimPrefix(key, k.OperationIDs()), "/")
	if len(segments) != 2 {
		return "", fmt.Errorf("%q is not an operation id and a game", strings.Join(segments, "/"))
	}
	return UnescapeGameID(segments[1])
}

// ParseStatusIndex returns the status and the game id that an index key was made from. For
// a status that this version does not know, it returns the game id with the error.
func (k Keys) ParseStatusIndex(key string) (runtime.Status, string, error) {
	word, segment, _ := strings.Cut(strings.TrimPrefix(key, k.StatusIndex()), "/")
	gameID, err := UnescapeGameID(segment)
	if err != nil {
		return "", "", err
	}
	status, err := runtime.ParseStatus("status", word)
	return status, gameID, err
}

// ParseLedger returns the game id and the slot of a ledger entry's key.
func (k Keys) ParseLedger(key string) (gameID string, slot int64, err error) {
	segment, word, _ := strings.Cut(strings.TrimPrefix(key, k.Ledgers()), "/")
	slot, err = strconv.ParseInt(word, 10, 64)
	if err != nil || slot < 0 || slot >= LedgerSlots || fmt.Sprintf("%02d", slot) != word {
		return "", 0, fmt.Errorf("%q is not a slot from 00 to %d", word, LedgerSlots-1)
	}
	gameID, err = UnescapeGameID(segment)
	return gameID, slot, err
}

// EscapeGameID makes a game id one printable path segment. No two ids share one.
func EscapeGameID(gameID string) string { return etcd.EscapeSegment(gameID) }

// UnescapeGameID returns the game id that EscapeGameID made the segment from, and an error
// for a segment that it did not make.
func UnescapeGameID(segment string) (string, error) {
	gameID, err := etcd.UnescapeSegment(segment)
	if err != nil {
		return "", err
	}
	if err := runtime.ValidateGameID(gameID); err != nil {
		return "", err
	}
	return gameID, nil
}
