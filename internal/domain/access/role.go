package access

import (
	"fmt"
	"slices"
	"strings"
)

// Role is a set of permissions.
type Role string

// The roles, from the weakest to the strongest.
const (
	// RoleNone denies everything. It overrides all other grants of the caller.
	RoleNone Role = "none"
	// RoleReader reads records, streams, findings and metrics.
	RoleReader Role = "reader"
	// RoleOperator also runs operations and writes records.
	RoleOperator Role = "operator"
	// RoleExecutor reads, and runs commands in games: these can read what the game can, such as its secrets.
	RoleExecutor Role = "executor"
	// RoleAdmin also runs commands in games, changes tokens, roles and secrets, and maintains the store.
	RoleAdmin Role = "admin"
	// RoleNode is the role of a daemon. It calls other daemons and forwards requests, whose
	// callers need the permissions themselves.
	RoleNode Role = "node"
)

// Roles returns the roles that can be granted.
func Roles() []Role { return []Role{RoleReader, RoleOperator, RoleExecutor, RoleAdmin, RoleNone} }

// Permission is what a request needs.
type Permission string

// The permissions.
const (
	PermissionRead    Permission = "read"
	PermissionOperate Permission = "operate"
	PermissionExec    Permission = "exec"
	PermissionAdmin   Permission = "admin"
)

// permissionsOf returns the permissions of a role.
func permissionsOf(role Role) []Permission {
	switch role {
	case RoleReader, RoleNode:
		return []Permission{PermissionRead}
	case RoleOperator:
		return []Permission{PermissionRead, PermissionOperate}
	case RoleExecutor:
		return []Permission{PermissionRead, PermissionExec}
	case RoleAdmin:
		return []Permission{PermissionRead, PermissionOperate, PermissionExec, PermissionAdmin}
	default:
		return nil
	}
}

// Has reports whether the role includes the permission.
func (r Role) Has(permission Permission) bool { return slices.Contains(permissionsOf(r), permission) }

// ParseRole returns the role of a name. RoleNode cannot be granted: only a certificate of
// NodesOrganization has it.
func ParseRole(name string) (Role, error) {
	if role := Role(name); slices.Contains(Roles(), role) {
		return role, nil
	}
	return "", fmt.Errorf("%.64q is not a role; use one of %s", name, joinNames(Roles()))
}

// ParsePermission returns the permission of a name, or of a verb of the command line such as
// stop.
func ParsePermission(name string) (Permission, error) {
	switch name {
	case "read", "get", "list", "watch", "history", "explain", "nodes", "drift", "fsck":
		return PermissionRead, nil
	case "operate", "start", "stop", "restart", "patch", "cleanup", "delete", "put", "set-status", "move", "cordon", "uncordon", "drain", "pause", "resume":
		return PermissionOperate, nil
	case "exec":
		return PermissionExec, nil
	case "admin", "token", "role", "secret":
		return PermissionAdmin, nil
	}
	return "", fmt.Errorf("%.64q is neither a permission nor a verb; use read, operate, exec, admin, or a command such as stop", name)
}

func joinNames[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}
