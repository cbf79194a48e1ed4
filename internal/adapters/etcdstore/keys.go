package etcdstore

import (
	"fmt"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// ledgerSlots is how many ledger entries a game keeps. It is part of the
// layout: entry seq lives in slot seq modulo ledgerSlots. It is more than one
// game gains while one of its writes is being resolved, short of a stampede of
// writers; what the ring has lost then, the record's own history still tells.
const ledgerSlots = 32

// keyspace builds and reads every key; no other file knows what one looks like.
// Each family is a prefix that ends in a slash, so that none covers another.
type keyspace struct{ prefix string }

func newKeyspace(prefix string) keyspace {
	return keyspace{prefix: etcd.TrimPrefix(prefix)}
}

func (k keyspace) records() string  { return k.prefix + "/runtimes/" }
func (k keyspace) indexes() string  { return k.prefix + "/runtimes-by-status/" }
func (k keyspace) ledgers() string  { return k.prefix + "/transitions/" }
func (k keyspace) intents() string  { return k.prefix + "/operations/" }
func (k keyspace) assigned() string { return k.prefix + "/operations-by-node/" }
func (k keyspace) schema() string   { return k.prefix + "/meta/schema" }

func (k keyspace) record(gameID string) string { return k.records() + escape(gameID) }

func (k keyspace) indexesOf(status runtime.Status) string {
	return k.indexes() + string(status) + "/"
}

func (k keyspace) index(status runtime.Status, gameID string) string {
	return k.indexesOf(status) + escape(gameID)
}

func (k keyspace) ledgerOf(gameID string) string { return k.ledgers() + escape(gameID) + "/" }

func (k keyspace) ledgerEntry(gameID string, seq int64) string {
	return k.ledgerOf(gameID) + fmt.Sprintf("%02d", seq%ledgerSlots)
}

func (k keyspace) intent(gameID string) string { return k.intents() + escape(gameID) }

// assignedTo is the index of the operations that the node carries out, or any node of
// the region where that is empty.
func (k keyspace) assignedTo(region, node string) string {
	family := k.assigned() + escape(region) + "/"
	if node != "" {
		family += escape(node) + "/"
	}
	return family
}

func (k keyspace) assignment(region, node, gameID string) string {
	return k.assigned() + escape(region) + "/" + escape(node) + "/" + escape(gameID)
}

// gameOfRecord gives back the game id that a record's key was made from.
func (k keyspace) gameOfRecord(key string) (string, error) {
	return unescape(strings.TrimPrefix(key, k.records()))
}

// gameOfIntent gives back the game id that an intent's key was made from.
func (k keyspace) gameOfIntent(key string) (string, error) {
	return unescape(strings.TrimPrefix(key, k.intents()))
}

// gameOfAssignment gives back the game id that a key of assigned was made from.
func (k keyspace) gameOfAssignment(key string) (string, error) {
	segments := strings.Split(strings.TrimPrefix(key, k.assigned()), "/")
	if len(segments) != 3 {
		return "", fmt.Errorf("%q is not a region, a node and a game", strings.Join(segments, "/"))
	}
	return unescape(segments[2])
}

// parseIndex gives back what an index key was made from. Of a key under a status
// that this version does not know, it still gives the game.
func (k keyspace) parseIndex(key string) (runtime.Status, string, error) {
	word, segment, _ := strings.Cut(strings.TrimPrefix(key, k.indexes()), "/")
	gameID, err := unescape(segment)
	if err != nil {
		return "", "", err
	}
	status, err := runtime.ParseStatus("status", word)
	return status, gameID, err
}

// parseLedger gives back the game id and the slot of a ledger entry's key.
func (k keyspace) parseLedger(key string) (gameID string, slot int64, err error) {
	segment, word, _ := strings.Cut(strings.TrimPrefix(key, k.ledgers()), "/")
	slot, err = strconv.ParseInt(word, 10, 64)
	if err != nil || slot < 0 || slot >= ledgerSlots || fmt.Sprintf("%02d", slot) != word {
		return "", 0, fmt.Errorf("%q is not a slot from 00 to %d", word, ledgerSlots-1)
	}
	gameID, err = unescape(segment)
	return gameID, slot, err
}

// escape makes a game id one printable path segment.
func escape(gameID string) string { return etcd.EscapeSegment(gameID) }

// unescape returns the game id that a path segment was made from.
func unescape(segment string) (string, error) {
	gameID, err := etcd.UnescapeSegment(segment)
	if err != nil {
		return "", err
	}
	if err := runtime.ValidateGameID(gameID); err != nil {
		return "", err
	}
	return gameID, nil
}
