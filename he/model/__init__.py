"""From a trained model to layers, and from layers to vectors of slots."""
