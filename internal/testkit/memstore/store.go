package memstore

import (
	"net/url"
	"sync"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.RuntimeRecordStore = (*Store)(nil)
	_ ports.RuntimeWriter      = (*Store)(nil)
	_ ports.ConditionWriter    = (*Store)(nil)
	_ ports.RuntimeDeleter     = (*Store)(nil)
	_ ports.RuntimeReader      = (*Store)(nil)
	_ ports.RuntimeLedger      = (*Store)(nil)
	_ ports.RuntimeWatcher     = (*Store)(nil)
	_ ports.StoreInspector     = (*Store)(nil)
	_ ports.StoreIdentity      = (*Store)(nil)
)

// Store is a store in memory. All methods are safe for concurrent use. It has no
// goroutines and need not be closed.
type Store struct {
	ports.RecordFacade // Get, Upsert, UpdateStatus, List and ListByStatus

	id string

	mu                sync.Mutex                       // guards everything below
	revision          int64                            // of the last change; 1 before the first
	compactedRevision int64                            // history below this revision is removed
	games             map[string]*gameHistory          // by game id; includes deleted games with history
	log               []change                         // every change above compactedRevision, oldest first
	fences            map[string]int64                 // leader key to the revision that created it
	intents           map[string]ports.VersionedIntent // by key
	deletions         map[[2]string]bool               // game and operation id of each successful Delete
	changed           broadcast.Signal                 // notified when the revision or compactedRevision changes
}

// gameHistory holds the versions and the ledger of one game. Its records are immutable:
// the store returns clones.
type gameHistory struct {
	key      string // orders lists
	versions []recordVersion
	ledger   []ledgerEntry // oldest first
}

// ledgerEntry is a ledger entry with the hash of what its write requested.
type ledgerEntry struct {
	runtime.LedgerEntry
	contentsHash string
}

// recordVersion is a game's record from one revision on.
type recordVersion struct {
	revision int64
	record   *runtime.RuntimeRecord // nil if deleted
}

// change is the change of one revision.
type change struct {
	revision int64
	gameID   string
	kind     ports.EventType // upserted, transitioned or deleted
	before   *runtime.RuntimeRecord
	after    *runtime.RuntimeRecord
}

// New returns an empty store with a new identity. As in etcd, its revision is 1 and the
// first write has revision 2.
func New() *Store {
	s := &Store{
		id:        uuid.NewString(),
		revision:  1,
		games:     map[string]*gameHistory{},
		fences:    map[string]int64{},
		intents:   map[string]ports.VersionedIntent{},
		deletions: map[[2]string]bool{},
	}
	s.RecordFacade = ports.NewRecordFacade(s)
	return s
}

// storeKey returns the key that the store on etcd would use, so that both stores order
// lists in the same way.
func storeKey(gameID string) string { return url.PathEscape(gameID) }

// versionAt returns the game's version at the revision, and nil if it had no record then.
func (g *gameHistory) versionAt(revision int64) *recordVersion {
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

// currentVersion returns the game's current version, and nil if it has no record. mu must
// be held.
func (s *Store) currentVersion(gameID string) *recordVersion {
	return s.games[gameID].versionAt(s.revision)
}

// appendChange applies the change at the next revision, notifies the watches and returns
// the revision. mu must be held.
func (s *Store) appendChange(c change) int64 {
	s.revision++
	c.revision = s.revision
	g := s.games[c.gameID]
	if g == nil {
		g = &gameHistory{key: storeKey(c.gameID)}
		s.games[c.gameID] = g
	}
	g.versions = append(g.versions, recordVersion{revision: c.revision, record: c.after})
	s.log = append(s.log, c)
	s.changed.Notify()
	return c.revision
}

func (v *recordVersion) toVersionedRecord() runtime.VersionedRecord {
	return runtime.VersionedRecord{Record: v.record.Clone(), Revision: v.revision}
}
