package selection

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Reader reads records; httpclient.Client implements it.
type Reader interface {
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
}

// maxAttempts bounds how often a list starts over because the store has compacted its revision.
const maxAttempts = 3

// List returns the records that match the flags, in the order of their game ids, as of one
// revision. It fails if a stored record cannot be read, because that one may match.
func (f *Flags) List(ctx context.Context, reader Reader) (records []runtime.VersionedRecord, err error) {
	for range maxAttempts {
		records, err = listMatching(ctx, reader, f.filter())
		if !errors.Is(err, runtime.ErrCompacted) {
			break
		}
	}
	return records, err
}

func listMatching(ctx context.Context, reader Reader, filter ports.RecordFilter) ([]runtime.VersionedRecord, error) {
	var records []runtime.VersionedRecord
	for page, err := range ports.AllPages(ctx, reader, ports.PageQuery{RecordFilter: filter, Limit: ports.MaxPageLimit}) {
		if err != nil {
			return nil, err
		}
		if len(page.Corrupt) > 0 {
			return nil, fmt.Errorf("select the games: %w", page.Corrupt[0])
		}
		records = append(records, page.Records...)
	}
	return records, nil
}

// Unique returns the games in their order, each once.
func Unique(games []string) []string {
	seen := make(map[string]bool, len(games))
	var unique []string
	for _, gameID := range games {
		if !seen[gameID] {
			unique = append(unique, gameID)
		}
		seen[gameID] = true
	}
	return unique
}

// IDs returns the game ids of the records.
func IDs(records []runtime.VersionedRecord) []string {
	ids := make([]string, len(records))
	for i, v := range records {
		ids[i] = v.Record.GameID
	}
	return ids
}
