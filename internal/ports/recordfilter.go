package ports

import (
	"slices"
	"strings"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// RecordFilter selects records, for lists and watches. The values of one member are a union: a
// record must have one of them. A member without values selects every record. The zero
// RecordFilter selects every record.
type RecordFilter struct {
	Statuses []runtime.Status
	Regions  []string
	Nodes    []string
	// Images are image references, or prefixes of them followed by *.
	Images  []string
	Healths []runtime.Health
	// Ready, if not nil, selects the records that are ready, or those that are not.
	Ready *bool
	// HoldsPlace selects the records of the games that use the capacity of their node.
	HoldsPlace bool
	// GamePrefix is the start of the game id.
	GamePrefix string
	Labels     runtime.LabelSelector
	// Visible selects the games that the caller may see; nil selects every game. Other games
	// count neither as records nor as corrupt values.
	Visible *access.Visibility
}

// FilterByStatus returns the filter of a status, or the one of every record for no status.
func FilterByStatus(status runtime.Status) RecordFilter {
	if status == "" {
		return RecordFilter{}
	}
	return RecordFilter{Statuses: []runtime.Status{status}}
}

// FilterByNode returns the filter of a node and the statuses. The zero Ref selects the records of
// every node, and no status every status.
func FilterByNode(ref node.Ref, statuses ...runtime.Status) RecordFilter {
	filter := RecordFilter{Statuses: statuses}
	if ref != (node.Ref{}) {
		filter.Regions, filter.Nodes = []string{ref.Region}, []string{ref.Name}
	}
	return filter
}

// Matches reports whether the record matches all members.
func (f *RecordFilter) Matches(record runtime.RuntimeRecord) bool { return f.Selects(&record) }

// Selects is Matches without a copy of the record.
func (f *RecordFilter) Selects(record *runtime.RuntimeRecord) bool {
	return matchesOne(f.Statuses, record.Status) &&
		matchesOne(f.Regions, record.Region) &&
		matchesOne(f.Nodes, record.Node) &&
		(len(f.Images) == 0 || slices.ContainsFunc(f.Images, func(pattern string) bool { return matchesImage(pattern, record.CurrentImageRef) })) &&
		matchesOne(f.Healths, record.Health) &&
		(f.Ready == nil || *f.Ready == record.IsReady()) &&
		(!f.HoldsPlace || record.HoldsPlace()) &&
		strings.HasPrefix(record.GameID, f.GamePrefix) &&
		f.Labels.Matches(record.Labels) &&
		f.Visible.ContainsLabeled(record.Region, record.GameID, record.Labels)
}

func matchesOne[T comparable](allowed []T, value T) bool {
	return len(allowed) == 0 || slices.Contains(allowed, value)
}

func matchesImage(pattern, image string) bool {
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	return isPrefix && strings.HasPrefix(image, prefix) || pattern == image
}

// MatchesGame reports whether some record of the game may match.
func (f *RecordFilter) MatchesGame(gameID string) bool {
	return strings.HasPrefix(gameID, f.GamePrefix) && f.Visible.ContainsGame(gameID)
}

// IsSelective reports whether the filter may select less than every record.
func (f *RecordFilter) IsSelective() bool {
	return len(f.Statuses) > 0 || len(f.Regions) > 0 || len(f.Nodes) > 0 || len(f.Images) > 0 || len(f.Healths) > 0 || f.Ready != nil || f.HoldsPlace ||
		f.GamePrefix != "" || !f.Labels.IsEmpty() || f.Visible != nil
}

// Validate returns nil for a filter that a store accepts, and otherwise a *runtime.InvalidError
// on "status", "health", "region", "node", "image" or "game_id_prefix". An empty value is one: a client
// whose variable is unset must not get every record.
func (f *RecordFilter) Validate() error {
	for _, status := range f.Statuses {
		if _, err := runtime.ParseStatus("status", string(status)); err != nil {
			return err
		}
	}
	for _, health := range f.Healths {
		if _, err := runtime.ParseHealth("health", string(health)); err != nil {
			return err
		}
	}
	for _, member := range []struct {
		field  string
		values []string
	}{{"region", f.Regions}, {"node", f.Nodes}, {"image", f.Images}, {"game_id_prefix", []string{f.GamePrefix}}} {
		for _, value := range member.values {
			if value == "" && member.field != "game_id_prefix" {
				return &runtime.InvalidError{Field: member.field, Reason: "is empty; omit it, or give it a value"}
			}
			if err := validateText(member.field, value); err != nil {
				return err
			}
		}
	}
	return nil
}
