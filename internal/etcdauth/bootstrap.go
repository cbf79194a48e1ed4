package etcdauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
)

// rootName is the name of etcd's administrator and of its role.
const rootName = "root"

// Options select what Bootstrap creates.
type Options struct {
	// Prefix is the prefix of the keys of the store.
	Prefix string
	// User and Role are the names of the user and of its role. Both are required, and are not
	// root.
	User, Role string
	// Password is the password of the user. Required.
	Password string
	// EnableAuth makes etcd authenticate every request. RootPassword is then required: it is
	// the password of root, which is created if it does not exist.
	EnableAuth   bool
	RootPassword string
}

// bootstrap is one run of Bootstrap.
type bootstrap struct {
	client    *clientv3.Client
	options   Options
	isEnabled bool // etcd authenticates requests
	report    func(step string)
}

// Bootstrap creates the role and the user, and limits the role to the keys of the store. It
// calls report with a sentence for each step, also for one that had nothing to change; no
// sentence contains a password. A second run changes nothing. The client must be that of root
// if etcd authenticates requests.
//
// It returns an error if the role or the user has further permissions, which Bootstrap does not
// remove.
func Bootstrap(ctx context.Context, client *clientv3.Client, options Options, report func(step string)) error {
	if err := options.validate(); err != nil {
		return err
	}
	status, err := client.AuthStatus(ctx)
	if err != nil {
		return fmt.Errorf("read whether etcd authenticates requests: %w", rpctypes.Error(err))
	}
	b := &bootstrap{client: client, options: options, isEnabled: status.Enabled, report: report}
	steps := []func(context.Context) error{b.createRole, b.createUser, b.grantRole}
	if options.EnableAuth {
		steps = append(steps, b.createRoot, b.enable)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return rpctypes.Error(err)
		}
	}
	if !b.isEnabled && !options.EnableAuth {
		report("etcd does not authenticate requests: until it does, every program may use all keys")
	}
	return nil
}

func (o Options) validate() error {
	switch {
	case o.User == "" || o.Role == "":
		return errors.New("the user and its role need names")
	case o.User == rootName || o.Role == rootName:
		return errors.New("root may change everything in etcd; choose another name for the user and its role")
	case o.Password == "":
		return fmt.Errorf("the password of user %s is empty", o.User)
	case o.EnableAuth && o.RootPassword == "":
		return errors.New("the password of root is required to enable authentication")
	}
	return nil
}

// keys returns the range of the keys of the store.
func (o Options) keys() (first, end string) {
	first = etcd.TrimPrefix(o.Prefix) + "/"
	return first, etcd.PrefixEnd(first)
}

// createRole creates the role, which may read and write the keys of the store.
func (b *bootstrap) createRole(ctx context.Context) error {
	role := b.options.Role
	_, err := b.client.RoleAdd(ctx, role)
	switch {
	case err == nil:
		b.report("created role " + role)
	case !errors.Is(rpctypes.Error(err), rpctypes.ErrRoleAlreadyExist):
		return fmt.Errorf("create role %s: %w", role, err)
	}
	found, err := b.client.RoleGet(ctx, role)
	if err != nil {
		return fmt.Errorf("read role %s: %w", role, err)
	}
	first, end := b.options.keys()
	isGranted := false
	for _, permission := range found.Perm {
		if string(permission.Key) != first || string(permission.RangeEnd) != end {
			return fmt.Errorf("role %s may also access %s; choose another role, or revoke that permission", role, describeRange(permission))
		}
		isGranted = permission.PermType == authpb.READWRITE
	}
	if isGranted {
		b.report(fmt.Sprintf("role %s may read and write the keys below %s: unchanged", role, first))
		return nil
	}
	if _, err := b.client.RoleGrantPermission(ctx, role, first, end, clientv3.PermissionType(clientv3.PermReadWrite)); err != nil {
		return fmt.Errorf("grant role %s the keys below %s: %w", role, first, err)
	}
	b.report(fmt.Sprintf("granted role %s to read and write the keys below %s, and no others", role, first))
	return nil
}

// describeRange returns the keys of a permission.
func describeRange(permission *authpb.Permission) string {
	if len(permission.RangeEnd) == 0 {
		return fmt.Sprintf("the key %q", permission.Key)
	}
	return fmt.Sprintf("the keys from %q to %q", permission.Key, permission.RangeEnd)
}

// createUser creates the user, or sets its password.
func (b *bootstrap) createUser(ctx context.Context) error {
	user := b.options.User
	_, err := b.client.UserAdd(ctx, user, b.options.Password)
	switch {
	case err == nil:
		b.report("created user " + user)
		return nil
	case !errors.Is(rpctypes.Error(err), rpctypes.ErrUserAlreadyExist):
		return fmt.Errorf("create user %s: %w", user, err)
	}
	if b.isEnabled {
		// A change of the password would log out the daemons of the user.
		_, err := b.client.Authenticate(ctx, user, b.options.Password)
		if err == nil {
			b.report(fmt.Sprintf("user %s has this password: unchanged", user))
			return nil
		}
		if !errors.Is(rpctypes.Error(err), rpctypes.ErrAuthFailed) {
			return fmt.Errorf("log in user %s: %w", user, err)
		}
	}
	if _, err := b.client.UserChangePassword(ctx, user, b.options.Password); err != nil {
		return fmt.Errorf("set the password of user %s: %w", user, err)
	}
	b.report("set the password of user " + user)
	return nil
}

// grantRole gives the user the role, and no other.
func (b *bootstrap) grantRole(ctx context.Context) error {
	user, role := b.options.User, b.options.Role
	found, err := b.client.UserGet(ctx, user)
	if err != nil {
		return fmt.Errorf("read user %s: %w", user, err)
	}
	if others := slices.DeleteFunc(slices.Clone(found.Roles), func(name string) bool { return name == role }); len(others) > 0 {
		return fmt.Errorf("user %s also has the roles %s; choose another user, or revoke them", user, strings.Join(others, ", "))
	}
	if slices.Contains(found.Roles, role) {
		b.report(fmt.Sprintf("user %s has the role %s: unchanged", user, role))
		return nil
	}
	if _, err := b.client.UserGrantRole(ctx, user, role); err != nil {
		return fmt.Errorf("grant user %s the role %s: %w", user, role, err)
	}
	b.report(fmt.Sprintf("granted user %s the role %s", user, role))
	return nil
}

// createRoot creates root, which etcd requires before it authenticates requests.
func (b *bootstrap) createRoot(ctx context.Context) error {
	if b.isEnabled {
		return nil
	}
	_, err := b.client.UserAdd(ctx, rootName, b.options.RootPassword)
	switch {
	case err == nil:
		b.report("created user root")
	case !errors.Is(rpctypes.Error(err), rpctypes.ErrUserAlreadyExist):
		return fmt.Errorf("create user root: %w", err)
	default:
		// The password of an earlier root may be unknown, and would lock the operator out.
		if _, err := b.client.UserChangePassword(ctx, rootName, b.options.RootPassword); err != nil {
			return fmt.Errorf("set the password of root: %w", err)
		}
		b.report("set the password of user root")
	}
	if _, err := b.client.RoleAdd(ctx, rootName); err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrRoleAlreadyExist) {
		return fmt.Errorf("create role root: %w", err)
	}
	if _, err := b.client.UserGrantRole(ctx, rootName, rootName); err != nil {
		return fmt.Errorf("grant root the role root: %w", err)
	}
	return nil
}

// enable makes etcd authenticate every request.
func (b *bootstrap) enable(ctx context.Context) error {
	if b.isEnabled {
		b.report("etcd authenticates every request: unchanged")
		return nil
	}
	if _, err := b.client.AuthEnable(ctx); err != nil {
		return fmt.Errorf("enable authentication: %w", err)
	}
	b.report("enabled authentication: etcd rejects every request without a user")
	return nil
}
