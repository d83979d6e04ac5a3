def set_critical(*a): raise NotImplementedError
