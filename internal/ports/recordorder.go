package ports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RecordOrder is the order of the records of a list. The zero RecordOrder is the order of the keys.
type RecordOrder struct {
	// Field is one of SortFields; empty for the order of the keys.
	Field string
	// Descending reverses the order of the field. Records with an equal field are in the ascending
	// order of their game ids in both cases.
	Descending bool
}

// compareField compares one field of two records.
type compareField func(a, b *runtime.RuntimeRecord) int

// sortFields has the comparison of each field, by the name of the field in a filter or a record.
var sortFields = map[string]compareField{
	"game_id":      func(_, _ *runtime.RuntimeRecord) int { return 0 }, // the game id decides
	"status":       func(a, b *runtime.RuntimeRecord) int { return strings.Compare(string(a.Status), string(b.Status)) },
	"region":       func(a, b *runtime.RuntimeRecord) int { return strings.Compare(a.Region, b.Region) },
	"node":         func(a, b *runtime.RuntimeRecord) int { return strings.Compare(a.Node, b.Node) },
	"image":        func(a, b *runtime.RuntimeRecord) int { return strings.Compare(a.CurrentImageRef, b.CurrentImageRef) },
	"health":       func(a, b *runtime.RuntimeRecord) int { return strings.Compare(string(a.Health), string(b.Health)) },
	"restarts":     func(a, b *runtime.RuntimeRecord) int { return cmp.Compare(a.Restarts, b.Restarts) },
	"generation":   func(a, b *runtime.RuntimeRecord) int { return cmp.Compare(a.Generation, b.Generation) },
	"created_at":   func(a, b *runtime.RuntimeRecord) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"last_op_at":   func(a, b *runtime.RuntimeRecord) int { return a.LastOpAt.Compare(b.LastOpAt) },
	"started_at":   func(a, b *runtime.RuntimeRecord) int { return compareTimes(a.StartedAt, b.StartedAt) },
	"stopped_at":   func(a, b *runtime.RuntimeRecord) int { return compareTimes(a.StoppedAt, b.StoppedAt) },
	"health_since": func(a, b *runtime.RuntimeRecord) int { return compareTimes(a.HealthSince, b.HealthSince) },
}

// SortFields returns the fields that records can be sorted by, in alphabetical order.
func SortFields() []string {
	fields := make([]string, 0, len(sortFields))
	for field := range sortFields {
		fields = append(fields, field)
	}
	slices.Sort(fields)
	return fields
}

// ParseRecordOrder parses a field of SortFields, which a minus sign before it makes descending. An
// empty text is the zero RecordOrder. The error is a *runtime.InvalidError on "sort".
func ParseRecordOrder(text string) (RecordOrder, error) {
	field, isDescending := strings.CutPrefix(text, "-")
	order := RecordOrder{Field: field, Descending: isDescending}
	if text == "" {
		return RecordOrder{}, nil
	}
	if field == "" {
		return RecordOrder{}, invalidSortError(text)
	}
	return order, order.Validate()
}

// String is the inverse of ParseRecordOrder.
func (o RecordOrder) String() string {
	if o.Descending {
		return "-" + o.Field
	}
	return o.Field
}

// IsZero reports whether the order is that of the keys.
func (o RecordOrder) IsZero() bool { return o == RecordOrder{} }

// Validate returns nil for an order that a store accepts, and otherwise a *runtime.InvalidError on
// "sort".
func (o RecordOrder) Validate() error {
	if o.IsZero() || sortFields[o.Field] != nil {
		return nil
	}
	return invalidSortError(o.String())
}

// Compare returns a negative number if a is before b, and a positive number if it is after b. It is
// 0 only for records of the same game. A field without a value is before every value. The order
// must be valid.
func (o RecordOrder) Compare(a, b *runtime.RuntimeRecord) int {
	compare := sortFields[o.Field]
	switch {
	case compare == nil:
		return strings.Compare(a.GameID, b.GameID)
	case !o.Descending:
		return cmp.Or(compare(a, b), strings.Compare(a.GameID, b.GameID))
	case o.Field == "game_id":
		return strings.Compare(b.GameID, a.GameID)
	default:
		return cmp.Or(compare(b, a), strings.Compare(a.GameID, b.GameID))
	}
}

func compareTimes(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}

func invalidSortError(text string) error {
	return &runtime.InvalidError{Field: "sort", Reason: fmt.Sprintf("%.64q is not a field to sort by; use one of %s, with a minus sign before it for the descending order", text, strings.Join(SortFields(), ", "))}
}
