// Package memstore keeps runtime records in memory under the same contracts as
// the store on etcd: compares, revisions, history, fences and compaction are
// enforced for real, so that it can serve as the model other stores are
// compared with and as the store of service and worker tests.
package memstore

import (
	"net/url"
	"sync"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Store = (*Store)(nil)

// Store is one store in memory. All methods are safe for concurrent use. It
// holds no goroutine and needs no closing.
type Store struct {
	id string

	mu       sync.Mutex                       // guards everything below
	revision int64                            // of the last change; 1 before the first
	floor    int64                            // history below this revision is forgotten
	games    map[string]*game                 // by game id; also games deleted since the floor
	log      []change                         // every change above the floor, oldest first
	fences   map[string]int64                 // leader key to the revision that created it
	intents  map[string]ports.VersionedIntent // by key
	changed  chan struct{}                    // closed and replaced whenever the store moves
}

// game is all that is known of one game. Records in it are never changed once
// they are stored; what leaves the store is a clone.
type game struct {
	key      string // what lists are ordered by
	versions []version
	ledger   []runtime.LedgerEntry // oldest first
}

// version is a game's record from one revision on; nil once it was deleted.
type version struct {
	revision int64
	record   *runtime.RuntimeRecord
}

// change is what one revision did.
type change struct {
	revision int64
	gameID   string
	kind     ports.EventType // upserted, transitioned or deleted
	before   *runtime.RuntimeRecord
	after    *runtime.RuntimeRecord
}

// New returns an empty store with an identity of its own. As in etcd its
// revision is 1, so the first write makes revision 2.
func New() *Store {
	return &Store{
		id:       uuid.NewString(),
		revision: 1,
		games:    map[string]*game{},
		fences:   map[string]int64{},
		intents:  map[string]ports.VersionedIntent{},
		changed:  make(chan struct{}),
	}
}

// keyOf is the key that the store on etcd would use, so that lists of both
// come in the same order.
func keyOf(gameID string) string { return url.PathEscape(gameID) }

// at returns the game's version as of the revision, or nil if it had no record.
func (g *game) at(revision int64) *version {
	if g == nil {
		return nil
	}
	for i := len(g.versions) - 1; i >= 0; i-- {
		if v := &g.versions[i]; v.revision <= revision {
			if v.record == nil {
				return nil
			}
			return v
		}
	}
	return nil
}

// current returns the game's present version, or nil. The caller holds mu.
func (s *Store) current(gameID string) *version { return s.games[gameID].at(s.revision) }

// append makes the change the next revision and wakes the watchers. It returns
// that revision. The caller holds mu.
func (s *Store) append(c change) int64 {
	s.revision++
	c.revision = s.revision
	g := s.games[c.gameID]
	if g == nil {
		g = &game{key: keyOf(c.gameID)}
		s.games[c.gameID] = g
	}
	g.versions = append(g.versions, version{revision: c.revision, record: c.after})
	s.log = append(s.log, c)
	s.wake()
	return c.revision
}

// wake tells every waiting watch to look again. The caller holds mu.
func (s *Store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (v *version) export() runtime.VersionedRecord {
	return runtime.VersionedRecord{Record: v.record.Clone(), Revision: v.revision}
}
