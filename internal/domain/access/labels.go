package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Labels are labels that a game must have, all of them. They are equalities, because a game
// without the labels must never be in a scope: a selector such as env!=prod would give rights for
// each game without the label.
type Labels map[string]string

// ParseLabels parses KEY=VALUE,…. It returns nil for an empty text, and an error that names what is
// wrong.
func ParseLabels(text string) (Labels, error) {
	if text == "" {
		return nil, nil
	}
	labels := Labels{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, isPair := strings.Cut(pair, "=")
		if !isPair {
			return nil, fmt.Errorf("%.64q is not a label KEY=VALUE", pair)
		}
		if _, isDouble := labels[key]; isDouble {
			return nil, fmt.Errorf("the label %.64q is given twice", key)
		}
		labels[key] = value
	}
	return labels, labels.validate()
}

// String returns KEY=VALUE,… in the order of the keys.
func (l Labels) String() string {
	pairs := make([]string, 0, len(l))
	for _, key := range slices.Sorted(maps.Keys(l)) {
		pairs = append(pairs, key+"="+l[key])
	}
	return strings.Join(pairs, ",")
}

// Match reports whether the labels of a game include all of these.
func (l Labels) Match(labels map[string]string) bool {
	for key, value := range l {
		if got, has := labels[key]; !has || got != value {
			return false
		}
	}
	return true
}

func (l Labels) validate() error {
	if l != nil && len(l) == 0 {
		return errors.New("a scope has no labels; omit labels to allow all")
	}
	return runtime.ValidateLabels("labels", l)
}

// ForLabels returns the rights for a game with the labels. Every grant that is limited to labels
// is either one without that limit or absent.
func (r Rights) ForLabels(labels map[string]string) Rights {
	return r.withoutLabels(func(limit Labels) bool { return limit.Match(labels) })
}

// ForAnyLabels returns the rights for a game whose labels are not known, as if it had all labels
// that a grant needs. It is for requests that disclose nothing of the game and change nothing.
func (r Rights) ForAnyLabels() Rights {
	return r.withoutLabels(func(Labels) bool { return true })
}

func (r Rights) withoutLabels(keeps func(Labels) bool) Rights {
	if !slices.ContainsFunc(r.grants, func(g Grant) bool { return g.Labels != nil }) {
		return r
	}
	var grants []Grant
	for _, g := range r.grants {
		if g.Labels == nil || keeps(g.Labels) {
			g.Labels = nil
			grants = append(grants, g)
		}
	}
	return Rights{grants: grants}
}

// LabelLimits returns the labels that limit the permission, one text for each grant with a limit.
func (r Rights) LabelLimits(permission Permission) []string {
	var limits []string
	for _, g := range r.grants {
		if g.Role.Has(permission) && g.Labels != nil {
			limits = append(limits, g.Labels.String())
		}
	}
	return limits
}

// HasLabelLimits reports whether a scope is limited to labels.
func (v *Visibility) HasLabelLimits() bool {
	return v != nil && slices.ContainsFunc(v.scopes, func(s Scope) bool { return s.Labels != nil })
}
