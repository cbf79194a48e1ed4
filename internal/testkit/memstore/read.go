package memstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// GetVersioned implements ports.RuntimeReader.
func (s *Store) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	current := s.currentVersion(gameID)
	if current == nil {
		return runtime.VersionedRecord{}, notFoundError(gameID)
	}
	return current.toVersionedRecord(), nil
}

// GetLocal implements ports.RuntimeReader. It is always up to date: there is no cache.
func (s *Store) GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	current := s.currentVersion(gameID)
	if current == nil {
		return runtime.VersionedRecord{}, s.revision, notFoundError(gameID)
	}
	return current.toVersionedRecord(), s.revision, nil
}

// ListRecords implements ports.RecordMethods. The order is that of the keys.
func (s *Store) ListRecords(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records := []runtime.RuntimeRecord{}
	for _, found := range s.matchingVersions(ports.WatchOptions{RecordFilter: ports.FilterByStatus(status)}, s.revision, "") {
		records = append(records, found.record.Clone())
	}
	return records, nil
}

// ListPage implements ports.RuntimeReader.
func (s *Store) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if err := query.Validate(); err != nil {
		return ports.Page{}, err
	}
	read, err := s.ReadSnapshot(ctx, query)
	if err != nil {
		return ports.Page{}, err
	}
	shared, err := read.Page(query)
	if err != nil {
		return ports.Page{}, err
	}
	page := ports.Page{Revision: read.Revision(), Records: make([]runtime.VersionedRecord, len(shared.Records)), Next: shared.Next}
	for i, record := range shared.Records {
		page.Records[i] = record.Clone()
	}
	return page, nil
}

// checkRevision returns nil for a revision that can be read, and otherwise
// runtime.ErrForeignRevision or runtime.ErrCompacted. mu must be held.
func (s *Store) checkRevision(revision int64) error {
	if revision > s.revision {
		return fmt.Errorf("revision %d is above the store's %d: %w", revision, s.revision, runtime.ErrForeignRevision)
	}
	if revision < s.compactedRevision {
		return fmt.Errorf("revision %d is below %d: %w", revision, s.compactedRevision, runtime.ErrCompacted)
	}
	return nil
}

// matchingVersions returns the versions at the revision that match the filter and whose
// keys sort after the given one, in the order of the keys. mu must be held.
func (s *Store) matchingVersions(filter ports.WatchOptions, revision int64, after string) []*recordVersion {
	games := slices.SortedFunc(maps.Values(s.games), func(a, b *gameHistory) int { return cmp.Compare(a.key, b.key) })
	var found []*recordVersion
	for _, g := range games {
		if v := g.versionAt(revision); v != nil && g.key > after && filter.Selects(v.record) {
			found = append(found, v)
		}
	}
	return found
}

// matchesRecord reports whether there is a record and it matches the filter.
func matchesRecord(filter ports.WatchOptions, record *runtime.RuntimeRecord) bool {
	return record != nil && filter.Matches(*record)
}

// History implements ports.RuntimeLedger.
func (s *Store) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.currentVersion(gameID) == nil {
		return nil, notFoundError(gameID)
	}
	ledger := s.games[gameID].ledger
	entries := make([]runtime.LedgerEntry, 0, len(ledger))
	for _, e := range slices.Backward(ledger) {
		entries = append(entries, e.LedgerEntry)
	}
	return entries, nil
}
