package etcdstore

import (
	"sync"

	"k8s.io/utils/lru"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxKnownIntents bounds the intents in memory, about 10 KB each.
const maxKnownIntents = 2048

// knownIntents holds the newest version of each intent that this store has read or written, of
// the games that it used last. No watch feeds it, so a version may be outdated: a decision on it
// is proven by a write that compares it. It is safe for concurrent use.
type knownIntents struct {
	mu    sync.Mutex
	games *lru.Cache // *knownIntent by game
	// resets is the number of calls of reset. A response of a request from before the last one may
	// be of another history of etcd, whose revisions mean nothing.
	resets int64
}

// knownIntent is the newest version of an intent. If its revision is below least, etcd has a
// newer one, which is not known.
type knownIntent struct {
	ports.VersionedIntent

	least int64
}

func newKnownIntents() *knownIntents { return &knownIntents{games: lru.New(maxKnownIntents)} }

// get returns a copy of the newest version of the game's intent, and false if it is not known.
func (k *knownIntents) get(gameID string) (ports.VersionedIntent, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	entry := k.find(gameID)
	if entry == nil || entry.Revision == 0 || entry.Revision < entry.least {
		return ports.VersionedIntent{}, false
	}
	return entry.clone(), true
}

// begin returns what a request passes to add, or to refresh, with its response.
func (k *knownIntents) begin() (since int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.resets
}

// add stores a version that etcd has returned or written, unless a newer one is known. The absence
// of an intent drops what is known. since is that of begin.
func (k *knownIntents) add(intent ports.VersionedIntent, since int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case since != k.resets:
		return
	case intent.Revision == 0:
		k.games.Remove(intent.Intent.GameID)
		return
	}
	entry := k.find(intent.Intent.GameID)
	if entry == nil {
		entry = &knownIntent{}
		k.games.Add(intent.Intent.GameID, entry)
	}
	if intent.Revision > entry.Revision {
		entry.VersionedIntent = (&knownIntent{VersionedIntent: intent}).clone()
	}
}

// refresh is add for a game that has a version here.
func (k *knownIntents) refresh(intent ports.VersionedIntent, since int64) {
	k.mu.Lock()
	isKnown := k.find(intent.Intent.GameID) != nil
	k.mu.Unlock()
	if isKnown {
		k.add(intent, since)
	}
}

// expire drops a version that is older than the revision, at which the intent was written; 0 means
// that it was deleted.
func (k *knownIntents) expire(gameID string, revision int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if revision == 0 {
		k.games.Remove(gameID)
		return
	}
	entry := k.find(gameID)
	if entry == nil {
		entry = &knownIntent{}
		k.games.Add(gameID, entry)
	}
	entry.least = max(entry.least, revision)
}

// remove drops the intent of a game.
func (k *knownIntents) remove(gameID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.games.Remove(gameID)
}

// reset drops all intents: the history of etcd may have been replaced.
func (k *knownIntents) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.resets++
	k.games.Clear()
}

// find returns what is known of a game, nil for nothing. mu must be held.
func (k *knownIntents) find(gameID string) *knownIntent {
	found, isKnown := k.games.Get(gameID)
	if !isKnown {
		return nil
	}
	entry, _ := found.(*knownIntent)
	return entry
}

func (k *knownIntent) clone() ports.VersionedIntent {
	copied := k.VersionedIntent
	copied.Intent = k.Intent.Clone()
	return copied
}

// GetIntentAndRecordLocal implements ports.IntentStore. The record is the newest one of the watch
// and of this store's own writes.
func (s *Store) GetIntentAndRecordLocal(gameID string) (intent ports.VersionedIntent, record runtime.VersionedRecord, isKnown bool) {
	if s.reflector == nil {
		return intent, record, false
	}
	if intent, isKnown = s.knownIntents.get(gameID); !isKnown {
		return ports.VersionedIntent{Intent: operation.Intent{GameID: gameID}}, record, false
	}
	found, _, isUsable := s.reflector.cache.WriteBase(gameID)
	if isUsable && found != nil {
		record = found.Versioned()
	}
	return intent, record, isUsable
}
