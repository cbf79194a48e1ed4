package accesscmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/domain/access"
)

// roleHelp describes the form of a role.
const roleHelp = `A role is reader, operator, executor, admin or none, and may be followed by labels, regions
and games: ROLE[/LABEL=VALUE,…][@REGION,…][:GAMES,…], where GAMES is an id or a prefix with *.
The role none denies everything, in spite of all other roles. The role executor reads, and
runs commands in games with "rtmanager exec"; only it and admin do.`

func (c commands) roleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "role",
		Short: "Grant, list and revoke the roles of subjects and groups",
		Long: `Role manages what subjects and groups may do. Without a role a caller may do nothing, except
that the certificates of the organization rtmanager:admins are those of administrators.

Subjects are user:NAME (client certificate), token:NAME and oidc:USERNAME. Groups are
group:ORGANIZATION (client certificate) and oidc-group:GROUP. A change is in effect at
every daemon within 5 seconds, also for open streams. Only administrators may use it.`,
		Example: `  rtmanager role                                    # list them
  rtmanager role grant user:ada admin
  rtmanager role grant oidc-group:eu-ops operator@eu
  rtmanager role grant token:team-a operator --label team=a
  rtmanager role revoke user:ada`,
		Args: host.RequireNoArguments,
		RunE: c.RunE(func(cmd *cobra.Command, _ []string) error { return c.listRoles(cmd.Context()) }),
	}
	cmd.AddCommand(c.listRolesCommand(), c.grantRoleCommand(), c.revokeRoleCommand())
	return cmd
}

func (c commands) listRolesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the roles of subjects and groups",
		Long: `List lists the roles that were granted to subjects and groups. "token list" lists those that
tokens were created with.`,
		Example: "  rtmanager role list -o yaml",
		Args:    host.RequireNoArguments,
		RunE:    c.RunE(func(cmd *cobra.Command, _ []string) error { return c.listRoles(cmd.Context()) }),
	}
}

func (c commands) listRoles(ctx context.Context) error {
	return c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		bindings, err := client.Roles(ctx)
		if err != nil {
			return err
		}
		return c.Printer().Roles(bindings)
	})
}

func (c commands) grantRoleCommand() *cobra.Command {
	var labels []string
	cmd := &cobra.Command{
		Use:   "grant SUBJECT ROLE",
		Short: "Grant a role to a subject or group",
		Long: `Grant adds a role to those of a subject or group. With --label the role is for games with the
label; several of them must all match. Such a caller can start games with these labels only,
and can change neither them nor the labels of other games into them.

` + roleHelp,
		Example: `  rtmanager role grant token:ci 'operator@eu,us:chess-*'
  rtmanager role grant oidc:ada@example.com reader
  rtmanager role grant token:team-a operator@eu --label team=a --label env=prod
  rtmanager role grant group:contractors none`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("grant requires a SUBJECT and a ROLE, got %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: completeRoleArguments,
		RunE: c.changeRoles(&labels, func(ctx context.Context, client *httpclient.Client, subject string, grant *access.Grant) (access.Binding, error) {
			return client.GrantRole(ctx, subject, *grant)
		}),
	}
	bindRoleLabels(cmd, &labels)
	return cmd
}

// bindRoleLabels declares the flag --label.
func bindRoleLabels(cmd *cobra.Command, labels *[]string) {
	cmd.Flags().StringSliceVar(labels, "label", nil, "only for games with this `LABEL=VALUE`; repeatable")
}

// changeRoles returns the RunE function of a command that changes the roles of a subject and prints
// those that remain. change gets the role of the second argument, nil without one.
func (c commands) changeRoles(
	labels *[]string, change func(ctx context.Context, client *httpclient.Client, subject string, grant *access.Grant) (access.Binding, error),
) func(*cobra.Command, []string) error {
	return c.RunE(func(cmd *cobra.Command, args []string) error {
		grant, err := parseRoleArguments(args, *labels)
		if err != nil {
			return err
		}
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			binding, err := change(ctx, client, args[0], grant)
			if err != nil {
				return err
			}
			return c.Printer().Binding(binding)
		})
	})
}

func (c commands) revokeRoleCommand() *cobra.Command {
	var labels []string
	cmd := &cobra.Command{
		Use:   "revoke SUBJECT [ROLE]",
		Short: "Revoke a role, or every role, of a subject or group",
		Long: `Revoke removes a role of a subject or group, written as "role list" shows it, or every role
without ROLE. Roles that a token was created with remain; "token revoke" ends the token.`,
		Example: `  rtmanager role revoke token:ci 'operator@eu,us:chess-*'
  rtmanager role revoke oidc:ada@example.com`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return fmt.Errorf("revoke requires a SUBJECT and takes a ROLE, got %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: completeRoleArguments,
		RunE: c.changeRoles(&labels, func(ctx context.Context, client *httpclient.Client, subject string, grant *access.Grant) (access.Binding, error) {
			binding, err := client.RevokeRole(ctx, subject, grant)
			if errors.Is(err, access.ErrUnknownSubject) {
				err = exit.HintError{Err: err, Hint: "`rtmanager role` lists the roles of every subject"}
			}
			return binding, err
		}),
	}
	bindRoleLabels(cmd, &labels)
	return cmd
}

// parseRoleArguments checks a subject, and returns the grant that may follow it with the labels, nil
// for none.
func parseRoleArguments(args, labels []string) (*access.Grant, error) {
	if err := access.ValidateSubject(args[0]); err != nil {
		return nil, exit.UsageError{Err: err}
	}
	if len(args) == 1 {
		if len(labels) > 0 {
			return nil, exit.UsageError{Err: errors.New("--label requires a ROLE")}
		}
		return nil, nil //nolint:nilnil // no grant, and no error
	}
	grant, err := access.ParseGrant(args[1])
	if err == nil && len(labels) > 0 {
		grant, err = withLabels(grant, labels)
	}
	if err != nil {
		return nil, exit.UsageError{Err: err}
	}
	return &grant, nil
}

// withLabels returns the grant, which must have no labels, with those of --label.
func withLabels(grant access.Grant, labels []string) (access.Grant, error) {
	if grant.Labels != nil {
		return grant, errors.New("give the labels either in ROLE or by --label")
	}
	var err error
	if grant.Labels, err = access.ParseLabels(strings.Join(labels, ",")); err != nil {
		return grant, err
	}
	return grant, grant.Validate()
}

func roleNames() []string {
	var names []string
	for _, role := range access.Roles() {
		names = append(names, string(role))
	}
	return names
}

// completeRole completes a flag by the roles.
func completeRole(cmd *cobra.Command, flag string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(roleNames(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

// completeRoleArguments completes the prefix of a subject, and then a role.
func completeRoleArguments(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	switch len(args) {
	case 0:
		return []string{access.PrefixUser, access.PrefixToken, access.PrefixOIDC, access.PrefixGroup, access.PrefixOIDCGroup}, directive
	case 1:
		return roleNames(), directive
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
