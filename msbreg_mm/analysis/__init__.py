"""Pictures and figures of embeddings: spectrum, maps, neighbours, particles."""
