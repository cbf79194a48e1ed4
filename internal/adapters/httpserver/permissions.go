package httpserver

import (
	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/domain/access"
)

// requirementTable has the requirements of routes by ID.
type requirementTable map[string]callers.Requirement

// requirements returns the requirement of each route by its ID. A route without a row needs
// the permission admin for every game.
func requirements() requirementTable {
	const read, operate, admin = access.PermissionRead, access.PermissionOperate, access.PermissionAdmin
	all := func(p access.Permission) callers.Requirement {
		return callers.Requirement{Permission: p, Kind: callers.RequireAll}
	}
	game := func(p access.Permission) callers.Requirement {
		return callers.Requirement{Permission: p, Kind: callers.RequireGame}
	}
	some := func(p access.Permission) callers.Requirement {
		return callers.Requirement{Permission: p, Kind: callers.RequireSome}
	}
	return requirementTable{
		"list-runtimes":           some(read),
		"get-runtime":             game(read),
		"put-runtime":             game(operate),
		"delete-runtime":          game(operate),
		"set-runtime-status":      game(operate),
		"label-runtime":           game(operate),
		"change-runtime-metadata": game(operate),
		"get-runtime-history":     game(read),
		"watch-runtimes":          some(read),
		"watch-events":            some(read),

		"start-runtime":   game(operate),
		"stop-runtime":    game(operate),
		"restart-runtime": game(operate),
		"patch-runtime":   game(operate),
		"cleanup-runtime": game(operate),
		"move-runtime":    game(operate),

		"list-operations":          some(read),
		"get-operation":            some(read),
		"cancel-operation":         some(operate),
		"list-runtime-operations":  game(read),
		"get-runtime-operation":    game(read),
		"cancel-runtime-operation": game(operate),

		"get-specs":         some(read),
		"explain-runtime":   game(read),
		"get-runtime-logs":  game(read),
		"exec-runtime":      game(access.PermissionExec),
		"get-offer":         game(operate),
		"get-nodes":         some(read),
		"remove-node":       all(admin),
		"get-drift":         some(read),
		"apply-drift":       some(operate),
		"release-brake":     some(operate),
		"get-runtime-stats": game(read),

		"list-rollouts":  some(read),
		"start-rollout":  some(operate),
		"get-rollout":    some(read),
		"pause-rollout":  some(operate),
		"resume-rollout": some(operate),
		"undo-rollout":   some(operate),
		"delete-rollout": some(operate),

		"cordon-node":   some(operate),
		"uncordon-node": some(operate),
		"drain-node":    some(operate),
		"pause-node":    some(operate),
		"resume-node":   some(operate),
		"pause-region":  some(operate),
		"resume-region": some(operate),

		"get-cluster":   some(read),
		"get-stores":    {Kind: callers.RequireIdentity},
		"get-members":   all(read),
		"remove-member": all(admin),
		"check-store":   all(read),
		"repair-store":  all(admin),
		"get-metrics":   some(read),
		"get-health":    {Kind: callers.RequireNothing},
		"get-readiness": {Kind: callers.RequireNothing},
		"get-document":  {Kind: callers.RequireNothing},

		"get-authentication": {Kind: callers.RequireNothing},
		"get-identity":       {Kind: callers.RequireIdentity},
		"get-decision":       {Kind: callers.RequireIdentity},
		"list-tokens":        all(admin),
		"create-token":       all(admin),
		"revoke-token":       all(admin),
		"list-roles":         all(admin),
		"grant-role":         all(admin),
		"revoke-role":        all(admin),

		"list-secrets":   all(admin),
		"get-secret":     all(admin),
		"put-secret":     all(admin),
		"delete-secret":  all(admin),
		"rotate-secrets": all(admin),
	}
}

// of returns the requirement of a route.
func (t requirementTable) of(routeID string) callers.Requirement {
	if requirement, isListed := t[routeID]; isListed {
		return requirement
	}
	return callers.Requirement{Permission: access.PermissionAdmin, Kind: callers.RequireAll}
}
