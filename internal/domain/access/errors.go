package access

import "errors"

var (
	// ErrUnauthenticated means that the caller has proven no identity.
	ErrUnauthenticated = errors.New("authentication is required")
	// ErrForbidden means that the caller lacks the permission.
	ErrForbidden = errors.New("forbidden")
	// ErrUnknownSubject means that there is no token or binding of the name.
	ErrUnknownSubject = errors.New("no such token or role binding")
	// ErrExists means that there is a token of the name already.
	ErrExists = errors.New("the token exists already")
)

// UnauthenticatedError is ErrUnauthenticated with a reason that callers may read.
type UnauthenticatedError struct {
	Reason string
	// IsUnknown reports that the policy has no such token: a newer policy may have it.
	IsUnknown bool
}

// Error returns the reason.
func (e *UnauthenticatedError) Error() string { return ErrUnauthenticated.Error() + ": " + e.Reason }

// Is reports whether target is ErrUnauthenticated.
func (e *UnauthenticatedError) Is(target error) bool { return target == ErrUnauthenticated }

// ForbiddenError is ErrForbidden with the subject and what it lacks.
type ForbiddenError struct {
	Subject    string
	Permission Permission
	// What is what the permission is missing for, such as "game chess-17".
	What string
}

// Error names the subject, the permission and the object.
func (e *ForbiddenError) Error() string {
	subject := e.Subject
	if subject == "" {
		subject = "the caller"
	}
	text := subject + " lacks the permission " + string(e.Permission)
	if e.What != "" {
		text += " for " + e.What
	}
	return text
}

// Is reports whether target is ErrForbidden.
func (e *ForbiddenError) Is(target error) bool { return target == ErrForbidden }
