package runtime

import (
	"slices"
	"strconv"
	"strings"
)

// LabelSelector selects records by their labels: all its requirements must be fulfilled. The
// zero LabelSelector selects every record. A LabelSelector is immutable. Package labelselector
// parses its text.
type LabelSelector struct{ requirements []LabelRequirement }

// LabelRequirement is what a selector requires of one label.
type LabelRequirement struct {
	Key      string
	Operator LabelOperator
	// Values are those of LabelIn and LabelNotIn. LabelAbove and LabelBelow have one, a whole
	// number.
	Values []string
}

// LabelOperator relates a label and the values of a requirement.
type LabelOperator string

// The operators. LabelNotIn and LabelAbsent are also fulfilled by a record without the label.
const (
	LabelIn     LabelOperator = "in"
	LabelNotIn  LabelOperator = "notin"
	LabelExists LabelOperator = "exists"
	LabelAbsent LabelOperator = "!"
	LabelAbove  LabelOperator = ">"
	LabelBelow  LabelOperator = "<"
)

// NewLabelSelector returns the selector of the requirements, which it takes ownership of.
func NewLabelSelector(requirements ...LabelRequirement) LabelSelector {
	for _, r := range requirements {
		slices.Sort(r.Values)
	}
	slices.SortStableFunc(requirements, func(a, b LabelRequirement) int { return strings.Compare(a.String(), b.String()) })
	return LabelSelector{requirements}
}

// IsEmpty reports whether the selector selects every record.
func (s LabelSelector) IsEmpty() bool { return len(s.requirements) == 0 }

// String returns the selector in its canonical form: equal selectors have equal texts,
// in any order of their requirements. It is empty for an empty selector.
func (s LabelSelector) String() string {
	texts := make([]string, len(s.requirements))
	for i, r := range s.requirements {
		texts[i] = r.String()
	}
	return strings.Join(texts, ",")
}

// Matches reports whether the selector selects a record with the labels.
func (s LabelSelector) Matches(labels map[string]string) bool {
	for i := range s.requirements {
		if !s.requirements[i].isFulfilledBy(labels) {
			return false
		}
	}
	return true
}

// Indexable returns the requirements that only records with the label can fulfill.
func (s LabelSelector) Indexable() []LabelRequirement {
	var indexable []LabelRequirement
	for _, r := range s.requirements {
		if r.Operator != LabelNotIn && r.Operator != LabelAbsent {
			indexable = append(indexable, r)
		}
	}
	return indexable
}

// String returns the requirement in the grammar of selectors.
func (r LabelRequirement) String() string {
	switch r.Operator {
	case LabelExists:
		return r.Key
	case LabelAbsent:
		return "!" + r.Key
	case LabelAbove, LabelBelow:
		return r.Key + string(r.Operator) + strings.Join(r.Values, "")
	case LabelIn, LabelNotIn:
		break
	}
	switch {
	case len(r.Values) != 1:
		return r.Key + " " + string(r.Operator) + " (" + strings.Join(r.Values, ",") + ")"
	case r.Operator == LabelIn:
		return r.Key + "=" + r.Values[0]
	default:
		return r.Key + "!=" + r.Values[0]
	}
}

func (r *LabelRequirement) isFulfilledBy(labels map[string]string) bool {
	value, exists := labels[r.Key]
	switch r.Operator {
	case LabelIn:
		return exists && slices.Contains(r.Values, value)
	case LabelNotIn:
		return !exists || !slices.Contains(r.Values, value)
	case LabelExists:
		return exists
	case LabelAbsent:
		return !exists
	case LabelAbove, LabelBelow:
		return r.isOrderedAs(value)
	default:
		return false
	}
}

// isOrderedAs reports whether the value is a number above or below the bound.
func (r *LabelRequirement) isOrderedAs(value string) bool {
	number, err := strconv.ParseInt(value, 10, 64)
	bound, errBound := strconv.ParseInt(strings.Join(r.Values, ""), 10, 64)
	if err != nil || errBound != nil {
		return false
	}
	return r.Operator == LabelAbove && number > bound || r.Operator == LabelBelow && number < bound
}
