package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// EnsureImage implements ports.Engine. It returns container.ErrNoImage with the engine's
// message if the engine cannot pull the image: no registry has it, or the registry cannot
// be reached. A retry can succeed. EnsureImage has no time limit while there is progress.
func (e *Engine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	if err := e.ensureImage(ctx, image, progress); err != nil {
		return fmt.Errorf("image %s: %w", image, err)
	}
	return nil
}

func (e *Engine) ensureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	// The client would accept a path as a name.
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return asError(container.ErrNoImage, err)
	}
	if found, err := e.hasImage(ctx, image); err != nil || found {
		return err
	}
	if err := e.pull(ctx, image, progress); err != nil {
		return err
	}
	found, err := e.hasImage(ctx, image)
	if err == nil && !found {
		return fmt.Errorf("%w: the engine does not have it after a pull", container.ErrNoImage)
	}
	return err
}

func (e *Engine) hasImage(ctx context.Context, image string) (bool, error) {
	response, err := callWithTimeout(ctx, e.cfg.CallTimeout, "inspect image", func(ctx context.Context) (client.ImageInspectResult, error) {
		return e.api.ImageInspect(ctx, image)
	})
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err == nil && response.ID == "" {
		return false, malformedResponse("it described no image in response to image %s", image)
	}
	return err == nil, unavailable(err)
}

// pull pulls the image. It bounds the time without progress, not the whole time: the
// duration of a pull is unknown.
func (e *Engine) pull(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(e.cfg.PullIdleTimeout, cancel)
	defer idle.Stop()
	err := e.readPull(bounded, image, func(p container.ImageProgress) {
		idle.Reset(e.cfg.PullIdleTimeout)
		if progress != nil {
			progress(p)
		}
	})
	switch {
	case err == nil || errors.Is(err, container.ErrNoImage):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("pull: %w", contextError(ctx, err))
	case bounded.Err() != nil:
		return malformedResponse("pull: no progress within %s", e.cfg.PullIdleTimeout)
	case isEngineError(err):
		return asError(container.ErrNoImage, err)
	}
	return unavailable(err)
}

// readPull pulls the image and reports each message of the engine.
func (e *Engine) readPull(ctx context.Context, image string, report func(container.ImageProgress)) error {
	pulling, err := e.api.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	progress := layerProgress{}
	for message, err := range pulling.JSONMessages(ctx) {
		if err != nil {
			return err
		}
		if message.Error != nil {
			return fmt.Errorf("%w: %s", container.ErrNoImage, message.Error.Message)
		}
		report(progress.update(message))
	}
	return nil
}
