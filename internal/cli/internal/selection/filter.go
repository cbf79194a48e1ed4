package selection

import (
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Filter selects records. The values of one field are alternatives; fields must all match. An
// empty field matches every record.
type Filter struct {
	Statuses               []runtime.Status
	Regions, Nodes, Images []string
}

// Matches reports whether the record matches.
func (f Filter) Matches(r runtime.RuntimeRecord) bool {
	return isAmong(f.Statuses, r.Status) && isAmong(f.Regions, r.Region) && isAmong(f.Nodes, r.Node) && isAmong(f.Images, r.CurrentImageRef)
}

func isAmong[T comparable](values []T, value T) bool {
	return len(values) == 0 || slices.Contains(values, value)
}

// query returns the query of the smallest list that has all matching records.
func (f Filter) query() ports.PageQuery {
	query := ports.PageQuery{Limit: ports.MaxPageLimit, Region: single(f.Regions), Node: single(f.Nodes)}
	query.Status = single(f.Statuses)
	return query
}

// single returns the only value, and the zero value if there are several or none.
func single[T any](values []T) (value T) {
	if len(values) == 1 {
		return values[0]
	}
	return value
}

// parseStatuses returns the statuses of a flag.
func parseStatuses(texts []string) ([]runtime.Status, error) {
	var statuses []runtime.Status
	for _, text := range texts {
		status, err := runtime.ParseStatus("--status", text)
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

// describe returns a description of games with one of the statuses.
func describe(statuses []runtime.Status) string {
	text := ""
	for i, status := range statuses {
		if i > 0 {
			text += " or "
		}
		text += string(status)
	}
	return fmt.Sprintf("games that are %s", text)
}
