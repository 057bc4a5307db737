"""Every rule of the sales process, once: one file for each noun.

A service is a public function of a module named `…_service`, and looks at who may. The other modules hold
what services share: only services call their functions, after they have looked.
"""
