package selection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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
func (f *Flags) List(ctx context.Context, reader Reader) ([]runtime.VersionedRecord, error) {
	records, _, err := f.ListAt(ctx, reader)
	return records, err
}

// ListAt is List, and also returns the revision, from which a watch continues.
func (f *Flags) ListAt(ctx context.Context, reader Reader) (records []runtime.VersionedRecord, revision int64, err error) {
	return ListAt(ctx, reader, f.filter())
}

// ListGames returns the records of those of the games that have one, and the revision. It reads
// the records of all games whose ids start with their common prefix.
func ListGames(ctx context.Context, reader Reader, games []string) (records []runtime.VersionedRecord, revision int64, err error) {
	records, revision, err = ListAt(ctx, reader, ports.RecordFilter{GamePrefix: CommonPrefix(games)})
	isOther := func(v runtime.VersionedRecord) bool { return !slices.Contains(games, v.Record.GameID) }
	return slices.DeleteFunc(records, isOther), revision, err
}

// CommonPrefix returns the longest valid text with which every game id starts.
func CommonPrefix(games []string) string {
	if len(games) == 0 {
		return ""
	}
	prefix := games[0]
	for _, gameID := range games[1:] {
		for !strings.HasPrefix(gameID, prefix) {
			_, size := utf8.DecodeLastRuneInString(prefix)
			prefix = prefix[:len(prefix)-size]
		}
	}
	return prefix
}

// ListAt returns the records that match the filter, in the order of their game ids, and the
// revision. It fails if a stored record cannot be read, because that one may match.
func ListAt(ctx context.Context, reader Reader, filter ports.RecordFilter) (records []runtime.VersionedRecord, revision int64, err error) {
	for range maxAttempts {
		records, revision, err = listMatching(ctx, reader, filter)
		if !errors.Is(err, runtime.ErrCompacted) {
			break
		}
	}
	return records, revision, err
}

func listMatching(ctx context.Context, reader Reader, filter ports.RecordFilter) (records []runtime.VersionedRecord, revision int64, err error) {
	for page, err := range ports.AllPages(ctx, reader, ports.PageQuery{RecordFilter: filter, Limit: ports.MaxPageLimit}) {
		if err != nil {
			return nil, 0, err
		}
		if len(page.Corrupt) > 0 {
			return nil, 0, fmt.Errorf("select the games: %w", page.Corrupt[0])
		}
		records, revision = append(records, page.Records...), page.Revision
	}
	return records, revision, nil
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
