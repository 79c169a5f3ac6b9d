"""What single models made of their test items: latent maps, reconstructions and draws of flat features."""
