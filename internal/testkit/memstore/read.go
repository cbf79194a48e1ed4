package memstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Get returns the game's record; see ports.RuntimeRecordStore.
func (s *Store) Get(ctx context.Context, gameID string) (runtime.RuntimeRecord, error) {
	found, err := s.GetVersioned(ctx, gameID)
	return found.Record, err
}

// GetVersioned returns the record with its revision; see ports.RuntimeReader.
func (s *Store) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	current := s.current(gameID)
	if current == nil {
		return runtime.VersionedRecord{}, notFound(gameID)
	}
	return current.export(), nil
}

// GetLocal returns the record and the model's revision: there is no copy to fall
// behind; see ports.RuntimeReader.
func (s *Store) GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	current := s.current(gameID)
	if current == nil {
		return runtime.VersionedRecord{}, s.revision, notFound(gameID)
	}
	return current.export(), s.revision, nil
}

// List returns every record in the order of the keys; see ports.RuntimeRecordStore.
func (s *Store) List(ctx context.Context) ([]runtime.RuntimeRecord, error) {
	return s.list(ctx, ports.WatchOptions{})
}

// ListByStatus returns the records of one status in the order of the keys; see
// ports.RuntimeRecordStore.
func (s *Store) ListByStatus(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	if _, err := runtime.ParseStatus("status", string(status)); err != nil {
		return nil, err
	}
	return s.list(ctx, ports.WatchOptions{Status: status})
}

func (s *Store) list(ctx context.Context, wanted ports.WatchOptions) ([]runtime.RuntimeRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records := []runtime.RuntimeRecord{}
	for _, found := range s.matching(wanted, s.revision, "") {
		records = append(records, found.record.Clone())
	}
	return records, nil
}

// ListPage returns one page; see ports.RuntimeReader.
func (s *Store) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if err := query.Validate(); err != nil {
		return ports.Page{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ports.Page{}, err
	}
	page := ports.Page{Revision: cmp.Or(query.Revision, s.revision), Records: []runtime.VersionedRecord{}}
	if err := s.remembers(page.Revision); err != nil {
		return ports.Page{}, err
	}
	wanted := ports.WatchOptions{Status: query.Status, Region: query.Region, Node: query.Node}
	found := s.matching(wanted, page.Revision, query.After)
	if len(found) > query.Limit {
		found = found[:query.Limit]
		page.Next = keyOf(found[query.Limit-1].record.GameID)
	}
	for _, v := range found {
		page.Records = append(page.Records, v.export())
	}
	return page, nil
}

// remembers returns nil for a revision that can be read. The caller holds mu.
func (s *Store) remembers(revision int64) error {
	if revision > s.revision {
		return fmt.Errorf("revision %d is above the store's %d: %w", revision, s.revision, runtime.ErrForeignRevision)
	}
	if revision < s.floor {
		return fmt.Errorf("revision %d is below %d: %w", revision, s.floor, runtime.ErrCompacted)
	}
	return nil
}

// matching returns the versions that match as of the revision and whose keys
// come after the given one, in the order of the keys. The caller holds mu.
func (s *Store) matching(wanted ports.WatchOptions, revision int64, after string) []*version {
	var found []*version
	for _, g := range s.games {
		if v := g.at(revision); v != nil && g.key > after && matches(wanted, v.record) {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b *version) int {
		return cmp.Compare(keyOf(a.record.GameID), keyOf(b.record.GameID))
	})
	return found
}

// matches is WatchOptions.Matches for a record that may be absent.
func matches(wanted ports.WatchOptions, record *runtime.RuntimeRecord) bool {
	return record != nil && wanted.Matches(*record)
}

// History returns the ledger, newest first; see ports.RuntimeLedger.
func (s *Store) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.current(gameID) == nil {
		return nil, notFound(gameID)
	}
	entries := slices.Clone(s.games[gameID].ledger)
	slices.Reverse(entries)
	return entries, nil
}
