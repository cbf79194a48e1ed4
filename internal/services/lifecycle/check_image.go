package lifecycle

import (
	"context"
	"errors"
	"slices"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

// checkImage returns container.ErrNoImage if the operation would create a container from an image
// that this node can never get, so that it is rejected and not accepted and rolled back. An engine
// with a registry may get any image. An operation that may continue on another present node of the region is
// accepted: that node may have the image.
func (s *Service) checkImage(ctx context.Context, op operation.Operation) error {
	if op.Generation == 0 || s.deps.Engine.Kind() != container.EngineKindProcess {
		return nil
	}
	if hasImage, err := s.deps.Engine.HasImage(ctx, op.Spec.Image); hasImage || err != nil {
		return nil //nolint:nilerr // the operation handles an engine that does not respond
	}
	missing := s.deps.Engine.EnsureImage(ctx, op.Spec.Image, nil) // its error names the missing file
	if !errors.Is(missing, container.ErrNoImage) {
		return nil
	}
	if op.CanChangeNode() {
		hasOther, err := s.hasOtherNode(ctx)
		if err != nil || hasOther {
			return err
		}
	}
	s.failures.record(op.Spec.Image, true, s.now())
	return missing
}

// hasOtherNode reports whether the region has another present node with an engine.
func (s *Service) hasOtherNode(ctx context.Context) (bool, error) {
	nodes, err := s.presentNodes(ctx)
	return slices.ContainsFunc(nodes, func(n node.Node) bool {
		return n.Ref() != s.self && n.Region == s.cfg.Region && n.Engine != ""
	}), err
}
