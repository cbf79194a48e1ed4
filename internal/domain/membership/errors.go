package membership

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound matches the error of a member that does not exist.
var ErrNotFound = errors.New("no such member")

// ErrUnsafe matches the error of a removal that is refused.
var ErrUnsafe = errors.New("unsafe change of the cluster")

// ErrNoQuorum matches the error of a change for which too few members respond. Nothing has
// been changed.
var ErrNoQuorum = errors.New("etcd has no quorum")

// ErrNotPermitted matches the error of an etcd whose user may not change its members.
var ErrNotPermitted = errors.New("the user of etcd may not change its members")

// NotFoundError is the error of a member that does not exist.
type NotFoundError struct {
	Name string
	// Members are the names of those that exist, or their ids.
	Members []string
}

// Error names the members that exist.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no member %q in the cluster; its members are %s", e.Name, strings.Join(e.Members, ", "))
}

// Is makes the error match ErrNotFound.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// UnsafeError is the error of a removal that is refused.
type UnsafeError struct {
	// Member is the name of the member, Reason why it is not removed and what to do.
	Member, Reason string
	// CanForce means that a forced request is carried out.
	CanForce bool
}

// Error returns the reason.
func (e *UnsafeError) Error() string {
	return fmt.Sprintf("member %s is not removed: %s", e.Member, e.Reason)
}

// Is makes the error match ErrUnsafe.
func (e *UnsafeError) Is(target error) bool { return target == ErrUnsafe }
