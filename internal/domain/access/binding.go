package access

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Binding gives grants to one subject or group.
type Binding struct {
	Subject   string    `json:"subject" doc:"The subject or group, such as user:ada, token:ci, oidc:ada@example.com, group:ops or oidc-group:ops"`
	Grants    []Grant   `json:"grants" nullable:"false" doc:"The roles of the subject, each with its scope"`
	UpdatedAt time.Time `json:"updated_at" doc:"The time of the last change"`
	UpdatedBy string    `json:"updated_by,omitempty" doc:"The subject that made the last change"`
}

// maxGrants bounds the grants of a subject.
const maxGrants = 64

// subjectPrefixes returns the prefixes of what roles can be bound to.
func subjectPrefixes() []string {
	return []string{PrefixUser, PrefixToken, PrefixOIDC, PrefixGroup, PrefixOIDCGroup}
}

// ValidateSubject returns an error if roles cannot be bound to the subject.
func ValidateSubject(subject string) error {
	for _, prefix := range subjectPrefixes() {
		name, hasPrefix := strings.CutPrefix(subject, prefix)
		if !hasPrefix {
			continue
		}
		if err := validateName(name); err != nil {
			return fmt.Errorf("subject %.64q: the name %w", subject, err)
		}
		return nil
	}
	return fmt.Errorf("%.64q is not a subject; it starts with one of %s", subject, joinNames(subjectPrefixes()))
}

// With returns the binding with the grant added. A grant of the same role and scope is
// replaced. A grant that would lock out all administrators is an error.
func (b Binding) With(grant Grant) (Binding, error) {
	if slices.ContainsFunc(b.Grants, func(g Grant) bool { return g.String() == grant.String() }) {
		return b, nil
	}
	if b.Subject == adminsGroup && grant.Role == RoleNone {
		return b, fmt.Errorf("the role none cannot be granted to %s: no administrator could revoke it; grant it to users", adminsGroup)
	}
	if len(b.Grants) == maxGrants {
		return b, fmt.Errorf("%s has %d grants, the most that a subject can have; revoke one first", b.Subject, maxGrants)
	}
	b.Grants = append(slices.Clone(b.Grants), grant)
	return b, nil
}

// Without returns the binding without the grant, and false if it does not have it.
func (b Binding) Without(grant Grant) (Binding, bool) {
	i := slices.IndexFunc(b.Grants, func(g Grant) bool { return g.String() == grant.String() })
	if i < 0 {
		return b, false
	}
	b.Grants = slices.Delete(slices.Clone(b.Grants), i, i+1)
	return b, true
}

// Validate returns an error that names what is invalid.
func (b Binding) Validate() error {
	if err := ValidateSubject(b.Subject); err != nil {
		return err
	}
	if len(b.Grants) > maxGrants {
		return fmt.Errorf("%s has %d grants; at most %d are allowed", b.Subject, len(b.Grants), maxGrants)
	}
	for _, grant := range b.Grants {
		if err := grant.Validate(); err != nil {
			return err
		}
	}
	return nil
}
