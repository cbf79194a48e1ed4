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

// EnsureImage makes the image available on the node. If the engine says why it
// cannot have the image, be it that no registry has it or that none could be
// reached, that is runtime.ErrNoImage in the engine's words; trying again may help.
// It may take as long as there is progress.
func (e *Engine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	if err := e.ensureImage(ctx, image, progress); err != nil {
		return fmt.Errorf("image %s: %w", image, err)
	}
	return nil
}

func (e *Engine) ensureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	// The client would take a path in place of a name.
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return translated(container.ErrNoImage, err)
	}
	if there, err := e.hasImage(ctx, image); err != nil || there {
		return err
	}
	if err := e.pull(ctx, image, progress); err != nil {
		return err
	}
	there, err := e.hasImage(ctx, image)
	if err == nil && !there {
		return fmt.Errorf("%w: the engine pulled it and does not have it", container.ErrNoImage)
	}
	return err
}

func (e *Engine) hasImage(ctx context.Context, image string) (bool, error) {
	found, err := within(ctx, e.cfg.CallTimeout, "inspect image", func(ctx context.Context) (client.ImageInspectResult, error) {
		return e.api.ImageInspect(ctx, image)
	})
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err == nil && found.ID == "" {
		return false, nonsense("asked for image %s, it described none", image)
	}
	return err == nil, unavailable(err)
}

// pull bounds the silence, not the whole: nobody knows how long an image takes.
func (e *Engine) pull(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(e.cfg.PullSilence, cancel)
	defer silence.Stop()
	err := e.readPull(bounded, image, func(p container.ImageProgress) {
		silence.Reset(e.cfg.PullSilence)
		if progress != nil {
			progress(p)
		}
	})
	switch {
	case err == nil || errors.Is(err, container.ErrNoImage):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("pull: %w", gaveUp(ctx, err))
	case bounded.Err() != nil:
		return nonsense("pull: no progress within %s", e.cfg.PullSilence)
	case refused(err):
		return translated(container.ErrNoImage, err)
	}
	return unavailable(err)
}

// readPull pulls, and reports each message of the engine.
func (e *Engine) readPull(ctx context.Context, image string, report func(container.ImageProgress)) error {
	pulling, err := e.api.ImagePull(ctx, image, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	layers := layers{}
	for message, err := range pulling.JSONMessages(ctx) {
		if err != nil {
			return err
		}
		if message.Error != nil {
			return fmt.Errorf("%w: %s", container.ErrNoImage, message.Error.Message)
		}
		report(layers.note(message))
	}
	return nil
}
